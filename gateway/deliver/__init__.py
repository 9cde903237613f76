"""Deliver: each recipient gets what is meant for it, retried until it has it."""
