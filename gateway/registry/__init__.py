"""Partners, their agreements and credentials: what one may be, how they come from a file, and how the trip looks them up."""
