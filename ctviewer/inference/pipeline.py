"""The analysis of one series, as a generator of events: suitability, study classifier, one-shot model, result."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

import ctviewer
from ctviewer.core.analysis_events import Abstained, StudyClassified, SuitabilityChecked
from ctviewer.core.anatomy import find_midline
from ctviewer.core.errors import InputError
from ctviewer.core.events import Done, Event, Message, Progress
from ctviewer.core.findings import AnalysisResult, Lesion, Provenance, StudyClassification
from ctviewer.core.lesions import each_lesion, lesion_area
from ctviewer.core.measure import Midline
from ctviewer.core.threads import lower_thread_priority
from ctviewer.core.volume import Volume
from ctviewer.core.words import counted
from ctviewer.inference.cache import NetCache
from ctviewer.inference.settings import AnalysisSettings
from ctviewer.inference.suitability import check_all
from ctviewer.inference.torch_preload import LOADING, preloading
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT

if TYPE_CHECKING:  # torch is imported when the suitability check has passed
    from ctviewer.inference.detect import Found
    from ctviewer.inference.engine import Engine

MEASURING = "Measuring lesions"
_DIGESTS_PER_STEP = 64


def analyse(
    volume: Volume,
    classifier: Bundle | None,
    detector: Bundle | None,
    settings: AnalysisSettings | None = None,
    cache: NetCache | None = None,
) -> Iterator[Event]:
    """Analyse one series. Nothing depends on how it is displayed; slice indices are volume indices.

    Args:
        volume: all slices loaded or failed; failed ones are left out and told.
        classifier: bundle of the study classifier, or None.
        detector: bundle of the one-shot model, or None.
        settings: device and precision.
        cache: keeps nets for the next analysis.

    Yields:
        `SuitabilityChecked` first. Where the series is outside the limits of a model: `Abstained`, and no more.
        `Progress` and `Message` in between; `StudyClassified`; `SliceSegmented` per slice, in the order of attention;
        `Done(AnalysisResult)` last. Every step on a CPU is sized under half a second.

    Raises:
        InputError: no bundle, or the volume is still loading.
        BundleError: weights that do not fit their net.
        DeviceError: not enough memory even on the CPU, or a model gave values that are not finite.
    """
    bundles = [b for b in (classifier, detector) if b is not None]
    _refuse(volume, bundles)
    started = time.perf_counter()
    suitability = check_all(volume, [b.metadata.input_limits for b in bundles])
    yield SuitabilityChecked(suitability)
    if suitability.abstains:
        yield Abstained(suitability)
        return
    if volume.failed.any():
        yield Message(_left_out(volume))
    settings = settings or AnalysisSettings()
    engines = yield from _load(bundles, settings, cache or NetCache())
    midline = find_midline(volume) if detector is not None else None
    classification, found = yield from _look(volume, engines, midline)
    yield Progress(MEASURING, 0, 0)
    digests = yield from _digests(volume)
    lesions = yield from _lesions(volume, found, midline)
    looked_at = ~volume.failed if detector is not None else np.zeros(volume.slice_count, bool)
    area, unit = lesion_area(found.instances, volume.geometry, looked_at)
    yield Done(
        AnalysisResult(
            series_key=volume.series.key,
            series_uid=volume.series.uid,
            slice_digests=digests,
            suitability=suitability,
            classification=classification,
            lesions=lesions,
            lesion_area=area,
            area_unit=unit,
            provenance=_provenance(engines, settings, time.perf_counter() - started),
            slice_classes=found.slice_classes,
            rois=found.rois,
            lungs=found.lungs,
        )
    )


def _refuse(volume: Volume, bundles: Sequence[Bundle]) -> None:
    if not bundles:
        raise InputError("No model is installed, so nothing can be analysed.")
    if not (volume.loaded | volume.failed).all():
        raise InputError("The series is still loading; it can be analysed when all slices are there.")


def _left_out(volume: Volume) -> str:
    failed = np.flatnonzero(volume.failed)
    named = ", ".join(volume.citation(int(i)) for i in failed[:5]) + (", ..." if len(failed) > 5 else "")
    return f"{counted(len(failed), 'slice')} could not be read and are not part of the analysis: {named}."


def _load(
    bundles: Sequence[Bundle], settings: AnalysisSettings, cache: NetCache
) -> Generator[Event, None, list[Engine]]:
    """Import torch, build the nets, choose device and precision; one engine per bundle, in their order."""
    yield Progress(LOADING, 0, 0)
    yield from preloading()
    if threading.current_thread() is not threading.main_thread():
        # before torch starts this thread's pool, which inherits it; not before the imports, which hold Python's lock: the
        # window would wait for a thread that the system puts last
        lower_thread_priority()
    from ctviewer.inference import classify, detect
    from ctviewer.inference.engine import Engine

    loaders = {CLASSIFIER: classify.load, ONE_SHOT: detect.load}
    engines = []
    for done, bundle in enumerate(bundles):
        yield Progress(LOADING, done, len(bundles))
        engine = Engine(bundle, settings, cache)
        yield from loaders[bundle.metadata.task](engine)
        engines.append(engine)
    yield Progress(LOADING, len(bundles), len(bundles))
    return engines


def _look(
    volume: Volume, engines: Sequence[Engine], midline: Midline
) -> Generator[Event, None, tuple[StudyClassification | None, Found]]:
    """Run the nets: the classifier first, since the one-shot model follows its attention."""
    from ctviewer.inference.classify import classify
    from ctviewer.inference.detect import Found, detect

    classification: StudyClassification | None = None
    found = Found()
    for engine in engines:
        if engine.bundle.metadata.task == CLASSIFIER:
            classification = yield from classify(volume, engine)
            yield StudyClassified(classification)
        else:
            found = yield from detect(volume, engine, _detection_order(volume, classification), midline)
    return classification, found


def _detection_order(volume: Volume, classification: StudyClassification | None) -> list[int]:
    """What the classifier looked at most first, then the rest as displayed by default: head to feet."""
    ranked = [] if classification is None else [int(i) for i in classification.ranking()]
    known = set(ranked)
    rest = [int(i) for i in volume.geometry.display_order if not volume.failed[i] and int(i) not in known]
    return ranked + rest


def _digests(volume: Volume) -> Generator[Event, None, tuple[str, ...]]:
    digests = []
    for index in range(volume.slice_count):
        if index % _DIGESTS_PER_STEP == _DIGESTS_PER_STEP - 1:
            yield Progress(MEASURING, 0, 0)
        digests.append(volume.slice_digest(index))
    return tuple(digests)


def _lesions(volume: Volume, found: Found, midline: Midline) -> Generator[Event, None, tuple[Lesion, ...]]:
    lesions = []
    for lesion in each_lesion(volume, found.instances, midline, found.lungs):
        lesions.append(lesion)
        yield Progress(MEASURING, 0, 0)
    return tuple(lesions)


def _provenance(engines: Sequence[Engine], settings: AnalysisSettings, seconds: float) -> Provenance:
    from ctviewer.inference.device import describe

    return Provenance(
        models=tuple(e.bundle.info for e in engines),
        device=", ".join(dict.fromkeys(describe(e.device) for e in engines)),
        precision=", ".join(dict.fromkeys(e.precision for e in engines)),
        program=f"ctviewer {ctviewer.__version__}",
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=seconds,
        settings=settings.items(),
    )
