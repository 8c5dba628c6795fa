"""What `make evaluate-models` does: every figure in the cards, made again from the bundles and the data, and a log of its runs."""
