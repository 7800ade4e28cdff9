"""Training loops and what they share: schedules, checkpoints and the log."""
