"""Receive: bytes from a partner become a stored payload with a receipt."""
