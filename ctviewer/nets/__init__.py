"""torch modules, and what their weights and gradients need: no data, no optimizer, no loop.

Slice encoders by name (`encoders`) with published weights (`weights`), aggregators, the study classifier and its losses,
its gradients by chunks (`chunks`), the one-shot net (`one_shot`).
"""
