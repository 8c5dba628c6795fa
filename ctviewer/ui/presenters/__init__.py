"""Presenters: they decide what happens; widgets show it. Plain QObjects, tested without a window."""
