"""torch modules and nothing else: slice encoders, aggregators, the study classifier, the lesion detector."""
