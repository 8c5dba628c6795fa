"""Labelled slices of public and own data sets: lesions by label maps, image classes by lists and names."""

from ctviewer.datasets.slices.opening import open_slice_source

__all__ = ["open_slice_source"]
