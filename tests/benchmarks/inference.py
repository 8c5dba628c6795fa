"""The analysis of a 120-slice study on the CPU: the classifier beside its bare encoder on ready tensors, and the detector."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from harness import Row, make_study

SLICES = 120
BATCH = 16
ROUNDS = 5


def run(work: Path) -> Iterator[Row]:
    """Classifier and detector, warm, in turn with the bare encoder, since the machine's speed drifts; medians."""
    import torch

    from ctviewer.app.models import installed
    from ctviewer.core.analysis_events import StudyClassified
    from ctviewer.core.events import Done, Progress
    from ctviewer.dicom import load_volume, scan
    from ctviewer.inference import AnalysisSettings, NetCache, analyse
    from ctviewer.inference.device import precision_of
    from ctviewer.models.preprocess import net_input

    folder = make_study(work, SLICES)
    *_, found = scan(folder)
    volume = load_volume(found.value.series[0])
    registry = installed()
    classifier, detector = registry.active("study_classifier"), registry.active("one_shot")
    cache, settings = NetCache(), AnalysisSettings(device="cpu")

    *_, alone = analyse(volume, classifier, None, settings, cache)
    precision = alone.value.provenance.precision  # the pipeline's choice for the classifier

    def once() -> tuple[float, float]:
        start = middle = end = 0.0
        for event in analyse(volume, classifier, detector, settings, cache):
            if isinstance(event, Progress) and event.stage == "Classifying slices" and event.done == 0:
                start = time.perf_counter()
            elif isinstance(event, StudyClassified):
                middle = time.perf_counter()
            elif isinstance(event, Done):
                end = time.perf_counter()
        return middle - start, end - middle

    once()
    net = cache.get(classifier, torch.device("cpu"))
    batch = net_input(volume, list(range(BATCH)), classifier.metadata.preprocessing)

    def bare(precision: str) -> float:
        with torch.inference_mode(), precision_of(precision, torch.device("cpu")):
            net.encode(batch)
            start = time.perf_counter()
            for _ in range(SLICES // BATCH):
                net.encode(batch)
            return (SLICES // BATCH * BATCH) / (time.perf_counter() - start)

    classified, encoded, detected = [], [], []
    for _ in range(ROUNDS):
        encoded.append([bare("float32"), bare("bfloat16")])
        classify, detect = once()
        classified.append(SLICES / classify)
        detected.append(SLICES / detect)
    rate = statistics.median(classified)
    float32, bfloat16 = (statistics.median(column) for column in zip(*encoded, strict=True))
    encoder = bfloat16 if precision == "bfloat16" else float32
    yield Row(f"classifier ({precision})", rate, "slices/s")
    yield Row(f"bare encoder, float32, batch {BATCH}", float32, "slices/s")
    yield Row(f"bare encoder, bfloat16, batch {BATCH}", bfloat16, "slices/s")
    yield Row("classifier / bare encoder of the same precision", rate / encoder, "x", ">= 0.8")
    yield Row("detector with lesions joined and measured", statistics.median(detected), "slices/s")
