"""Embeddings of every image, their neighbours, and their maps."""
