"""The evidence of some leaves, to be handed on: as one HTML page, or as pictures and a table. Imports no torch."""
