"""The handlers of the REST interface, one file per resource."""
