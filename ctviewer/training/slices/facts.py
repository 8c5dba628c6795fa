"""What pre-flight knows of a scan of labelled slices: read once, small enough to keep for thousands of scans."""

from __future__ import annotations

import hashlib

import numpy as np

from ctviewer.core.slices import HU, LabelledSlices
from ctviewer.training.preflight.facts import Content

_GREY_LEVELS = 65535


def content_of(slices: LabelledSlices) -> Content:
    """Digests of a scan: over pixels and all that is said of them, and of the pixels of each slice alone.

    A slice of one value throughout is like any other such and has no digest of its own.
    """
    total, parts = hashlib.sha256(repr((slices.unit, slices.label_classes)).encode()), set()
    for i, name in enumerate(slices.names):
        values = slices.pixels[i] if slices.unit == HU else slices.pixels[i] * np.float32(_GREY_LEVELS)
        whole = np.ascontiguousarray(np.rint(values).astype(np.int32))
        digest = hashlib.sha256(f"{whole.shape}".encode())
        digest.update(whole.data)
        if whole.min() != whole.max():
            parts.add(digest.digest()[:16])
        told = (name, bool(slices.complete[i]), slices.image_classes[i], slices.origins[i])
        total.update(digest.digest() + repr(told).encode("utf-8", "surrogatepass"))
        if slices.labels is not None:
            total.update(np.ascontiguousarray(slices.labels[i]).data)
    return Content(total.hexdigest(), frozenset(parts))
