"""The models that learn from generated phantoms alone: a study classifier and a lesion detector that anybody may use."""
