"""Training: studies from any source, a seeded loop that yields events, and the starter models."""
