"""The model card of a run: what it is for, what it was made of, how well it does, and what is not known."""
