"""From core objects to a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ctviewer import __version__
from ctviewer.core.findings import AnalysisResult, Instance, Lesion, SliceScore, Verdict, rank_slices
from ctviewer.core.palette import Rgb, class_colour
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
        reading: words, key images, window and verdicts; None where there is none (the command line).
        options: what can be chosen.
    """
    options = options or ReportOptions()
    builder = _Builder(volume, result, reading, options)
    abstained = result is not None and result.suitability.abstains
    told = None if result is None or abstained else result
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
        lesions=builder.lesions() if told else (),
        detector_looked=builder.looked() if told else None,
        top_slices=tuple(builder.top_panel(rank, i) for rank, i in builder.top) if told else (),
        key_images=tuple(builder.key_panel(i) for i in (reading.key_slices if reading else ())),
        provenance=result.provenance if result else None,
        created=options.created,
        program=f"ctviewer {__version__}",
        reader_class=label.text if label else "",
        reader_origin=label.origin if label else "",
        lungs=told.lungs if told else None,
        slice_classes=builder.slice_classes() if told else None,
    )


def _window_for(volume: Volume, result: AnalysisResult | None) -> Voi:
    """The volume's first window; where it prints the lesions black or white, the first other one that shows them.

    A chest series often comes with a mediastinal window, in which nothing of the lungs is seen.
    """
    first = volume.initial_window
    means = [lesion.mean_hu for lesion in result.lesions if lesion.mean_hu is not None] if result else []
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
        self._window = options.window or (reading.window if reading else None) or _window_for(volume, result)
        self._verdicts = self._find_verdicts(result, reading)
        self._classes = result.detector_classes if result else ()
        self.ranked_by, ranking = (
            rank_slices(result.classification, result.lesion_area) if result else (SliceScore.NONE, ())
        )
        self.top = tuple((rank, int(i)) for rank, i in enumerate(ranking[: options.top], start=1))

    @staticmethod
    def _find_verdicts(result: AnalysisResult | None, reading: Reading | None) -> dict[int, Verdict]:
        """Verdicts given on this very result."""
        if result is None or reading is None:
            return {}
        identity = ReadAnalysis(result).identity
        return next((dict(a.verdicts) for a in reading.analyses if a.identity == identity), {})

    def verdict(self, lesion: Lesion) -> Verdict:
        return self._verdicts.get(lesion.lesion_id, Verdict.PENDING)

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
                area=result.lesion_area[order] if np.isfinite(result.lesion_area).any() else None,
                area_unit=result.area_unit,
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
        assert self._result is not None
        place = {int(i): k for k, i in enumerate(self._volume.geometry.display_order)}
        return tuple(self._row(lesion, place) for lesion in self._result.lesions)

    def _row(self, lesion: Lesion, place: dict[int, int]) -> LesionRow:
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
            verdict=self.verdict(lesion),
            ground_glass=lesion.ground_glass,
            consolidation=lesion.consolidation,
            lung_share=lesion.lung_share,
        )

    def top_panel(self, rank: int, index: int) -> SlicePanel:
        assert self._result is not None
        told = self._result.classification
        attention = self.ranked_by is SliceScore.ATTENTION
        by_area = self.ranked_by is SliceScore.LESION_AREA
        weights = self._result.lesion_area if by_area or told is None else told.weights
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
        assert self._result is not None
        return [
            (lesion.lesion_id, instance, class_colour(lesion.label, self._classes))
            for lesion in self._result.lesions
            if self.verdict(lesion) is not Verdict.REJECTED
            for instance in lesion.instances
            if instance.slice_index == index
        ]
