"""The loss around a checkpoint: under two objectives, its curvature, and the way from one checkpoint to the next."""
