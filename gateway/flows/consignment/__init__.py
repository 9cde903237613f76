"""Consignments: declared, reviewed, transferred, cleared."""
