"""The starter models, learned from generated phantoms."""
