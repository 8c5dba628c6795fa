"""See architecture: report."""
