"""Panels beside the image. They show what setters give them and send intents as signals."""
