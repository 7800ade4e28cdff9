"""Which regions of a picture speak for a class."""
