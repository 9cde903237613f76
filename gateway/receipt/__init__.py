"""Receipt: acknowledgements in the sender's syntax, and proof that stands up later."""
