"""Figures of a one-shot model: outlines and classes of slices. numpy alone, so that the window may use them."""
