"""Web: the REST interface."""
