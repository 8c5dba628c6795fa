"""What pre-flight knows of a scan of labelled slices: read once, small enough to keep for thousands of scans."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ctviewer.core.errors import CtviewerError
from ctviewer.core.files import reason
from ctviewer.core.slices import HU, LabelledSlices
from ctviewer.models.placement import Placement, Upright
from ctviewer.training.preflight.facts import Content
from ctviewer.training.slices.classes import marked_labels
from ctviewer.training.slices.targets import instances, least_pixels
from ctviewer.training.slices.two_sources import TwoSources, kind_of
from ctviewer.training.splits import Case

_GREY_LEVELS = 65535
_NOTHING = Content("", frozenset())
_STEP = 4  # every so-manyth pixel is looked at for where the values lie


@dataclass(frozen=True)
class Outlines:
    """How much of a class is outlined in a scan.

    Attributes:
        slices: that show it.
        instances: components that are large enough to be learned, at the net's size.
        small: components that are not.
    """

    slices: int
    instances: int
    small: int


@dataclass(frozen=True)
class SliceFacts:
    """One scan of a set. What is not known is None or empty.

    Attributes:
        case: its patient, classes and given split.
        error: why it cannot be read; all that follows is then empty.
        slices: that teach what the set is for.
        unit: of the values.
        rows, columns: of the slices.
        spacing: mm between rows and columns.
        air: the lowest percent of the values.
        marked: classes that its set marks, the background left out.
        outlines: by class.
        complete: slices all of whose lesions are marked.
        classed: slices by image class.
        accepted: slices whose labels are accepted output of a model.
        content: of pixels and labels.
    """

    case: Case
    error: str = ""
    slices: int = 0
    unit: str = ""
    rows: int = 0
    columns: int = 0
    spacing: tuple[float, float] | None = None
    air: float | None = None
    marked: tuple[str, ...] = ()
    outlines: Mapping[str, Outlines] = field(default_factory=dict)
    complete: int = 0
    classed: Mapping[str, int] = field(default_factory=dict)
    accepted: int = 0
    content: Content = _NOTHING

    @property
    def study(self) -> str:
        """Its id."""
        return self.case.study

    @property
    def kind(self) -> str:
        """`LESIONS` or `IMAGES`."""
        return kind_of(self.case.study)

    @property
    def set_name(self) -> str:
        """The set as the configuration numbers it: "images[2]"."""
        kind, number, _ = self.case.study.split("/", 2)
        return f"{kind}[{int(number) + 1}]"


def read_slice_facts(source: TwoSources, scan: str, size: int) -> SliceFacts:
    """Load a scan and keep what pre-flight needs; a scan that cannot be read says why.

    Args:
        source: of the run.
        scan: its id.
        size: side of the net's input, at which components are counted.
    """
    case = Case(scan, source.patient(scan), source.classes(scan), source.split(scan))
    try:
        slices = source.load_slices(scan)
    except CtviewerError as error:
        return SliceFacts(case, error=str(error))
    except OSError as error:
        return SliceFacts(case, error=f"The scan could not be read: {reason(error)}.")
    classed = Counter(filter(None, slices.image_classes))
    thin = slices.pixels[:, ::_STEP, ::_STEP]
    return SliceFacts(
        case,
        slices=len(slices.names),
        unit=slices.unit,
        rows=slices.pixels.shape[1],
        columns=slices.pixels.shape[2],
        spacing=slices.spacing,
        air=float(np.percentile(thin, 1)) if thin.size else None,
        marked=marked_labels(slices),
        outlines=_outlines(slices, size),
        complete=int(slices.complete.sum()),
        classed=dict(classed),
        accepted=sum(bool(origin) for origin in slices.origins),
        content=content_of(slices),
    )


def _outlines(slices: LabelledSlices, size: int) -> dict[str, Outlines]:
    """Of the classes that occur."""
    if slices.labels is None or not len(slices.names):
        return {}
    classes, found = slices.label_classes, np.zeros((len(slices.label_classes), 3), int)
    rows, columns = slices.labels.shape[1:]
    placement = Placement(rows, columns, Upright(False, False, False), size)
    for labels in slices.labels:
        components = instances(placement.labels(labels), classes)
        areas = np.bincount(components.layers.ravel(), minlength=len(components.values))
        for number, value in enumerate(components.values[1:], 1):
            found[value, 1 if areas[number] >= max(1.0, least_pixels(size)) else 2] += 1
        found[np.unique(labels), 0] += 1
    return {name: Outlines(*map(int, found[v])) for v, name in enumerate(classes) if v and found[v, 0]}


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
