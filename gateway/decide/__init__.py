"""Decide: what a document means for its consignment, one file per business flow."""
