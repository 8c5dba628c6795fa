"""How a run is trained: studies and features on disk, starts, checkpoints, the loop."""
