"""Findings as the reader left them: what table, image, strip, report and files show, measured by the rules of the model's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ctviewer.core.anatomy import find_midline
from ctviewer.core.findings import Instance, Lesion, Lungs, Verdict
from ctviewer.core.lesions import lesion_area, measured_lesion
from ctviewer.core.measure import Midline
from ctviewer.core.reading import ReadAnalysis, Reading
from ctviewer.core.volume import Volume

_KEPT = 512  # measured findings that are remembered; one is measured in milliseconds


class Origin(Enum):
    """Whose a finding is."""

    MODEL = "model"
    CORRECTED = "corrected by the reader"
    DRAWN = "drawn by the reader"


@dataclass(frozen=True)
class ReadFinding:
    """A finding as the reader left it.

    Attributes:
        lesion: with the reader's class and outlines, measured anew where they differ from the model's. A drawn lesion has
            an id below 0 and the score 1.
        verdict: what the reader said of it; a drawn lesion is accepted.
        origin: whose it is.
        model_label: the model's class where the reader changed it; "" otherwise.
    """

    lesion: Lesion
    verdict: Verdict
    origin: Origin = Origin.MODEL
    model_label: str = ""

    @property
    def counts(self) -> bool:
        """Whether it is a finding for all that is counted and drawn: not rejected."""
        return self.verdict is not Verdict.REJECTED


def finding_name(lesion_id: int) -> str:
    """How a finding is numbered for people: 3, or D1 for the first that the reader drew."""
    return str(lesion_id) if lesion_id >= 0 else f"D{-lesion_id}"


def drawn_instances(reading: Reading) -> Iterator[tuple[int, tuple[Instance, ...]]]:
    """Id and outlines of each drawn lesion on the slices that are there, by slice index."""
    for drawn in reading.marks.drawn:
        places = ((reading.slice_index(digest), mask) for digest, mask in drawn.outlines.items())
        found = [Instance(index, drawn.label, 1.0, mask) for index, mask in places if index is not None]
        if found:
            yield drawn.lesion_id, tuple(sorted(found, key=lambda i: i.slice_index))


class FindingReader:
    """Reads the findings of one volume; what did not change since is not measured again.

    Args:
        volume: loaded.
    """

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._midline: tuple[Midline] | None = None
        self._measured: dict[tuple[int, tuple[Instance, ...], Lungs | None], Lesion] = {}

    def read(self, reading: Reading | None, analysis: ReadAnalysis | None) -> tuple[ReadFinding, ...]:
        """The findings of an analysis with the reader's changes, in its order, then those that the reader drew.

        Args:
            reading: of this volume; None before its slices were recognised.
            analysis: the one on show, with what the reader said of it; None without one.
        """
        lungs = analysis.result.lungs if analysis is not None else None
        found = [] if analysis is None else [self._of_model(lesion, analysis) for lesion in analysis.result.lesions]
        if reading is not None:
            for lesion_id, instances in drawn_instances(reading):
                lesion = self._measure(lesion_id, instances, lungs)
                found.append(ReadFinding(lesion, Verdict.ACCEPTED, Origin.DRAWN))
        return tuple(found)

    def _of_model(self, lesion: Lesion, analysis: ReadAnalysis) -> ReadFinding:
        correction, verdict = analysis.correction(lesion.lesion_id), analysis.verdict(lesion.lesion_id)
        instances = correction.instances(lesion)
        if correction.is_empty or not instances:
            return ReadFinding(lesion, verdict)
        changed = self._measure(lesion.lesion_id, instances, analysis.result.lungs)
        return ReadFinding(changed, verdict, Origin.CORRECTED, lesion.label if correction.label else "")

    def _measure(self, lesion_id: int, instances: tuple[Instance, ...], lungs: Lungs | None) -> Lesion:
        key = lesion_id, instances, lungs
        if key not in self._measured:
            if self._midline is None:
                self._midline = (find_midline(self._volume),)
            if len(self._measured) >= _KEPT:
                self._measured.pop(next(iter(self._measured)))
            self._measured[key] = measured_lesion(self._volume, lesion_id, instances, self._midline[0], lungs)
        return self._measured[key]


def area_as_read(
    findings: Sequence[ReadFinding], volume: Volume, model: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64] | None, str]:
    """Lesion area of each slice as the reader left the findings: rejected ones do not count, drawn ones do.

    Args:
        findings: all.
        volume: what they lie on.
        model: `[slices]` area by the model, NaN where it has not looked; None without one.

    Returns:
        `[slices]`, NaN where neither model nor reader marked anything, None where that is everywhere; and "mm2" or "px".
    """
    unit = "px" if volume.geometry.pixel_spacing is None else "mm2"
    if all(finding.counts and finding.origin is Origin.MODEL for finding in findings):
        return (model if model is not None and np.isfinite(model).any() else None), unit  # the model's own
    marked = [i for finding in findings if finding.counts for i in finding.lesion.instances]
    looked = np.zeros(volume.slice_count, bool) if model is None else np.isfinite(model)
    looked[[i.slice_index for i in marked]] = True
    area, unit = lesion_area(marked, volume.geometry, looked)
    return (area if looked.any() else None), unit


def shown_classes(classes: Sequence[str], findings: Sequence[ReadFinding]) -> tuple[str, ...]:
    """The classes that give the colours: the model's in order, then those in the reader's own words."""
    return tuple(dict.fromkeys((*classes, *(finding.lesion.label for finding in findings))))
