"""See architecture: ui."""
