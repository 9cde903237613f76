"""Containers: whether they may leave the port."""
