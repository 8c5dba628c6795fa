"""Pre-flight: what can be known to be wrong with the data of a run before it starts."""
