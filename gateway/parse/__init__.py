"""Bytes in, messages out: one module per syntax, none of them knows what a message means."""
