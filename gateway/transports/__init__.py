"""Transports: how bytes come and go, one file each with its declaration (see `plugin`)."""
