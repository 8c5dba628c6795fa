"""The one-shot model: lesions and the class of a slice in one pass."""

from ctviewer.nets.one_shot.answers import Detections, Rois, SliceAnswer, SliceLogits, Target
from ctviewer.nets.one_shot.net import OneShot
from ctviewer.nets.one_shot.options import Options, light_options, reference_options
from ctviewer.nets.one_shot.starts import load_backbone

__all__ = [
    "Detections",
    "OneShot",
    "Options",
    "Rois",
    "SliceAnswer",
    "SliceLogits",
    "Target",
    "light_options",
    "load_backbone",
    "reference_options",
]
