"""One module a screen, each with a function ``page``."""
