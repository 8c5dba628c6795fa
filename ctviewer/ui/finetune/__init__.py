"""Fine-tuning in the window: a dialog of four pages (data, pre-flight, training, comparison) beside the reading."""
