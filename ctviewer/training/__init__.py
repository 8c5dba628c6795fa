"""See architecture: training."""
