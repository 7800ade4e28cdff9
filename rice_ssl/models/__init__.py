"""Networks: the encoder by name, SwAV's head and prototypes, the classifier, and their files."""
