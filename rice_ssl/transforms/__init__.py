"""Crops and photometric changes of whole batches, on the device where the images are."""
