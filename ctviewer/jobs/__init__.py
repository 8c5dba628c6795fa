"""See architecture: jobs."""
