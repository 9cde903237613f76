"""Check: a message against its schema gives findings, all of them at once."""
