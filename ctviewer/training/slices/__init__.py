"""Labelled slices as a one-shot run takes them: sets joined to one source, classes brought to the run's, targets made of label maps."""
