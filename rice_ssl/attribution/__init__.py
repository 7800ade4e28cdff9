"""Which regions and which bands of a picture speak for a class."""
