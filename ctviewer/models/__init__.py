"""Model bundles and what must be the same in training and inference: preprocessing, postprocessing, metrics.

`metadata`, `bundle` and `registry` read bundles without importing torch.
"""
