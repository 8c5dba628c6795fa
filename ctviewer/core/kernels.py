"""What the names of reconstruction kernels tell."""

from __future__ import annotations

import re

_LUNG = re.compile(
    r"""
    lung | pulm                       # GE, and many descriptions
    | ^[bdhuiq][6-8]\d                # Siemens B60f .. B80s, D60s, I70f
    | ^b[rlv]?l?(5[4-9]|6\d|7\d)      # Siemens Br59, Bl57, Bv60
    | ^fc(5[0-6]|8[0-6])              # Canon, Toshiba
    | ^(l|y[a-c]|yc0)$                # Philips
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BONE = re.compile(
    r"""
    bone | edge | ultra | knochen | detail   # GE, and many descriptions
    | ^h[cr]?[67]\d                          # Siemens H60s, Hr64, Hc70
    | ^u[br]?[67]\d                          # Siemens U70, Ur73
    | ^fc(3\d|7\d)                           # Canon, Toshiba: inner ear, bone
    | ^(d|e|yd|ye)$                          # Philips
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_lung_kernel(kernel: str) -> bool:
    """Whether a kernel is one for lungs, by its vendor's name ("B70f", "LUNG", "FC51")."""
    return bool(_LUNG.search(kernel.partition("\\")[0]))


def is_sharp_kernel(kernel: str) -> bool:
    """Whether a kernel is one for lungs or for bone: both keep edges and noise."""
    return is_lung_kernel(kernel) or bool(_BONE.search(kernel.partition("\\")[0]))
