"""Figures of predictions and how sure they are: numpy alone, so that the window may use them."""
