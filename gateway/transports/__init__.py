"""Transports: how bytes come and go, one file each."""
