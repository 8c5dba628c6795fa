"""Marked lesions of a study as files: DICOM Segmentations, NIfTI or MetaImage volumes, PNG label maps by slice."""

from ctviewer.datasets.masks.legend import LEGEND_NAME, Legend, read_legend, write_legend
from ctviewer.datasets.masks.slice_keys import SliceKeys
from ctviewer.datasets.masks.study_masks import find_masks, plain_name, read_masks

__all__ = [
    "LEGEND_NAME",
    "Legend",
    "SliceKeys",
    "find_masks",
    "plain_name",
    "read_legend",
    "read_masks",
    "write_legend",
]
