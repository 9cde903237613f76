"""Translate: wire message to canonical document and back, by one table that works in both directions."""
