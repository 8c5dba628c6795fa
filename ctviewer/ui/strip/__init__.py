"""The heat strip: the slice slider that shows what the model weighed."""
