"""What is wrong with a data set: registration, wrong pairs, duplicates, image quality, labels. Imports no torch."""
