"""How a one-shot model is trained: its steps, its losses, the copied branch, its start, and what a run asks of it."""
