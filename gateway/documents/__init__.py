"""The canonical documents, one file each."""
