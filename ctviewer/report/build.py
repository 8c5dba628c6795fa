"""From core objects to a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ctviewer import __version__
from ctviewer.core.findings import AnalysisResult, Instance, SliceScore, rank_slices
from ctviewer.core.palette import Rgb, class_colour
from ctviewer.core.read_findings import FindingReader, ReadFinding, area_as_read, shown_classes
from ctviewer.core.reading import ReadAnalysis, Reading
from ctviewer.core.units import unit_text
from ctviewer.core.volume import Volume
from ctviewer.core.windowing import PRESETS, Voi, Window, as_window
from ctviewer.report import drawing, heatplot, slices
from ctviewer.report.document import LesionRow, Picture, ReportDocument, SliceClassRow, SliceClassTable, SlicePanel


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


@dataclass(frozen=True)
class ReportOptions:
    """What can be chosen.

    Attributes:
        top: how many top slices are printed.
        window: display window; None takes the reader's, else the file's first that shows the lesions.
        created: ISO 8601 with UTC offset.
    """

    top: int = 4
    window: Voi | None = None
    created: str = field(default_factory=_now)


def build_report(
    volume: Volume, result: AnalysisResult | None, reading: Reading | None, options: ReportOptions | None = None
) -> ReportDocument:
    """Compose a report.

    Args:
        volume: loaded; slices that are not decoded are printed black and say so.
        result: the analysis to print; None prints the study, the reader's words and key images only.
        reading: words, key images, window, verdicts, corrections and drawn lesions; None where there is none (the command line).
        options: what can be chosen.
    """
    options = options or ReportOptions()
    abstained = result is not None and result.suitability.abstains
    told = None if result is None or abstained else result
    builder = _Builder(volume, told, reading, options)
    label = reading.label if reading else None
    return ReportDocument(
        series=volume.series,
        unit=unit_text(volume.unit),
        question=reading.question if reading else "",
        comment=reading.comment if reading else "",
        suitability=result.suitability if result else None,
        classification=told.classification if told else None,
        heat=builder.heat() if told else None,
        top_ranked_by=builder.ranked_by.value,
        lesions=builder.lesions(),
        detector_looked=builder.looked() if told else None,
        top_slices=tuple(builder.top_panel(rank, i) for rank, i in builder.top),
        key_images=tuple(builder.key_panel(i) for i in (reading.key_slices if reading else ())),
        provenance=result.provenance if result else None,
        created=options.created,
        program=f"ctviewer {__version__}",
        reader_class=label.text if label else "",
        reader_origin=label.origin if label else "",
        reviewed=builder.reviewed(),
        lungs=told.lungs if told else None,
        slice_classes=builder.slice_classes() if told else None,
    )


def _window_for(volume: Volume, findings: Sequence[ReadFinding]) -> Voi:
    """The volume's first window; where it prints the lesions black or white, the first other one that shows them.

    A chest series often comes with a mediastinal window, in which nothing of the lungs is seen.
    """
    first = volume.initial_window
    means = [mean for finding in findings if (mean := finding.lesion.mean_hu) is not None]
    if not means or volume.unit != "HU":
        return first
    mean = sum(means) / len(means)
    candidates = (first, *volume.windows, *PRESETS)
    return next((voi for voi in candidates if _shows(as_window(voi), mean)), first)


def _shows(window: Window, value: float) -> bool:
    return abs(value - window.centre) < window.width / 2


class _Builder:
    """Holds what all parts of one report share."""

    def __init__(
        self, volume: Volume, result: AnalysisResult | None, reading: Reading | None, options: ReportOptions
    ) -> None:
        self._volume = volume
        self._result = result
        self._reading = reading
        self._findings = FindingReader(volume).read(reading, _analysis(result, reading))
        self._window = options.window or (reading.window if reading else None) or _window_for(volume, self._findings)
        self._classes = shown_classes(result.detector_classes if result else (), self._findings)
        self._area, self._area_unit = area_as_read(self._findings, volume, result.lesion_area if result else None)
        self.ranked_by, ranking = rank_slices(result.classification if result else None, self._area)
        self.top = tuple((rank, int(i)) for rank, i in enumerate(ranking[: options.top], start=1))

    def reviewed(self) -> tuple[int, int] | None:
        """Slices that the reader marked as completely reviewed, of how many; None where none is."""
        if self._reading is None:
            return None
        digests = self._reading.slice_digests
        done = sum(digest in self._reading.marks.reviewed for digest in digests)
        return (done, len(digests)) if done else None

    def heat(self) -> Picture | None:
        result = self._result
        assert result is not None
        order = self._volume.geometry.display_order
        place = {int(i): k for k, i in enumerate(order)}
        told = result.classification
        weights = told if told is not None and told.score is not SliceScore.NONE else None
        return heatplot.draw(
            heatplot.HeatLanes(
                lengths=weights.bar_lengths[order] if weights else None,
                score=weights.score if weights else SliceScore.NONE,
                strength=weights.finding_probability if weights else 0.0,
                stands_out=weights.stands_out if weights else False,
                area=None if self._area is None else self._area[order],
                area_unit=self._area_unit,
                classes=self._class_lanes(order),
                plane=self._volume.geometry.plane,
                marked=tuple((rank, place[i]) for rank, i in self.top),
                first=self._volume.citation(int(order[0])),
                last=self._volume.citation(int(order[-1])),
            )
        )

    def _class_lanes(self, order: NDArray[np.intp]) -> tuple[tuple[str, NDArray[np.float64]], ...]:
        """Name and probabilities `[slices]` in the order shown of each slice class that means a finding."""
        assert self._result is not None
        told = self._result.slice_classes
        if told is None:
            return ()
        probabilities = told.probabilities[order]
        return tuple((told.classes[k], probabilities[:, k]) for k in told.findings)

    def slice_classes(self) -> SliceClassTable | None:
        assert self._result is not None
        told = self._result.slice_classes
        if told is None or not np.isfinite(told.logits).any():
            return None
        rows = []
        for name, values in zip(told.classes, told.probabilities.T, strict=True):
            best = int(np.nanargmax(values))
            count = int((np.nan_to_num(values, nan=0.0) >= 0.5).sum())
            rows.append(SliceClassRow(name, count, float(values[best]), self._volume.citation(best)))
        looked = int(np.isfinite(told.logits).all(axis=1).sum())
        return SliceClassTable(told.model, looked, tuple(rows))

    def looked(self) -> tuple[int, int] | None:
        assert self._result is not None
        area = self._result.lesion_area
        return (int(np.isfinite(area).sum()), int(area.size)) if np.isfinite(area).any() else None

    def lesions(self) -> tuple[LesionRow, ...]:
        place = {int(i): k for k, i in enumerate(self._volume.geometry.display_order)}
        return tuple(self._row(finding, place) for finding in self._findings)

    def _row(self, finding: ReadFinding, place: dict[int, int]) -> LesionRow:
        lesion = finding.lesion
        shown = sorted(lesion.slices, key=lambda i: place[i])
        return LesionRow(
            lesion_id=lesion.lesion_id,
            label=lesion.label,
            colour=class_colour(lesion.label, self._classes),
            side=lesion.side,
            first=self._volume.citation(shown[0]),
            last=self._volume.citation(shown[-1]),
            largest=self._volume.citation(lesion.largest_slice),
            slice_count=len(shown),
            score=lesion.score,
            volume_ml=lesion.volume_ml,
            diameter_mm=lesion.diameter_mm,
            mean_hu=lesion.mean_hu,
            verdict=finding.verdict,
            ground_glass=lesion.ground_glass,
            consolidation=lesion.consolidation,
            lung_share=lesion.lung_share,
            origin=finding.origin,
            model_label=finding.model_label,
        )

    def top_panel(self, rank: int, index: int) -> SlicePanel:
        told = self._result.classification if self._result is not None else None
        attention = self.ranked_by is SliceScore.ATTENTION
        by_area = self.ranked_by is SliceScore.LESION_AREA
        weights = self._area if by_area or told is None else told.weights
        assert weights is not None  # something ranked the slices
        drawn = self._drawn_on(index)
        image = slices.picture(self._volume, index, self._window)
        axis, position = self._volume.geometry.place(index)
        return SlicePanel(
            index=index,
            citation=self._volume.citation(index),
            axis=axis,
            position=position,
            rank=rank,
            weight=float(weights[index]),
            times_uniform=float(told.bar_lengths[index]) if attention and told else None,
            window=self._window,
            plain=drawing.png(image),
            overlay=slices.with_contours(image, self._volume, drawn),
            drawn=tuple(lesion_id for lesion_id, _, _ in drawn),
        )

    def key_panel(self, index: int) -> SlicePanel:
        plain = drawing.png(slices.picture(self._volume, index, self._window))
        axis, position = self._volume.geometry.place(index)
        citation = self._volume.citation(index)
        return SlicePanel(index, citation, axis, position, None, None, None, self._window, plain)

    def _drawn_on(self, index: int) -> list[tuple[int, Instance, Rgb]]:
        """Outlines on one slice; rejected lesions are not drawn."""
        return [
            (finding.lesion.lesion_id, instance, class_colour(finding.lesion.label, self._classes))
            for finding in self._findings
            if finding.counts
            for instance in finding.lesion.instances
            if instance.slice_index == index
        ]


def _analysis(result: AnalysisResult | None, reading: Reading | None) -> ReadAnalysis | None:
    """A result with what the reader said of this very one; None without a result."""
    if result is None:
        return None
    bare = ReadAnalysis(result)
    kept = reading.analysis(bare.identity) if reading is not None else None
    return kept if kept is not None else bare
