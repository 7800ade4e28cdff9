"""From files on disk to a manifest of pairs, and from there to decoded pictures."""
