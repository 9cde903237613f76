"""Flows that keep the registry: who is registered, from when on, and as what."""
