"""Binders: carry state from session and presenters into the widgets, and intents back."""
