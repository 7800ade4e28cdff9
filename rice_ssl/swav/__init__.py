"""SwAV: balanced codes, the swapped prediction loss and the queue."""
