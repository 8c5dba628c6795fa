"""Lesion models on generated chests of families that no training draws from. What phantoms show is labelled so."""

from __future__ import annotations

from collections.abc import Iterator

from ctviewer.app.model_evaluation.generated import DATA, phantoms
from ctviewer.app.model_evaluation.parts import PHANTOMS, Part, Setting, rounded
from ctviewer.app.progress import drain
from ctviewer.app.starter_chests import phantom_chest
from ctviewer.core.events import Done, Event, Progress
from ctviewer.datasets.phantom import Variant
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import ONE_SHOT
from ctviewer.nets.one_shot import OneShot
from ctviewer.training.slice_predictions import SlicePredictions
from ctviewer.training.starter.chests import CLASSES
from ctviewer.training.starter.lesion_figures import answers, lesion_metrics

_TITLE = "Lesions on phantoms of held-out families"
_NOTE = "Generated phantoms, no patients: a check that lesions are found and healthy lungs stay empty elsewhere too, no medicine."
_EACH = "patient "  # figures of single phantoms say nothing


def judge_on_phantoms(setting: Setting) -> Part:
    """Figures of every lesion model that knows lung and infection."""
    bundles = [bundle for bundle in setting.of(ONE_SHOT) if bundle.metadata.classes == CLASSES]
    if not bundles:
        return Part(PHANTOMS, _TITLE, skipped=f"There is no lesion model of the classes {', '.join(CLASSES)}.")
    told: dict[str, list[SlicePredictions]] = {bundle.key: [] for bundle in bundles}
    drain(_judge_all(setting, bundles, told), setting.line)
    figures = {}
    for key, parts in told.items():
        whole = SlicePredictions(
            key,
            CLASSES,
            parts[0].lesion_classes,
            (),
            "",
            parts[0].threshold,
            tuple(c for one in parts for c in one.cases),
        )
        found = lesion_metrics([whole], DATA)
        figures[key] = [rounded(one) for one in found if not (one.n == 1 and _EACH in one.name)]
    notes = {one.data: _NOTE for metrics in figures.values() for one in metrics}
    return Part(PHANTOMS, _TITLE, figures, (_NOTE,), card_notes=notes)


def _judge_all(setting: Setting, bundles: list[Bundle], into: dict[str, list[SlicePredictions]]) -> Iterator[Event]:
    """One phantom after the other: all of them would fill the memory."""
    source = phantoms(setting.effort)
    wanted = [study for study in source.ids() if source.label(study) != Variant.PNEUMONIA.value]
    nets = {bundle.key: bundle.build() for bundle in bundles}
    for done, study in enumerate(wanted):
        yield Progress("Judging phantoms", done, len(wanted))
        chest = phantom_chest(source.phantom(study), source.patient(study))
        for bundle in bundles:
            net, m = nets[bundle.key], bundle.metadata
            assert isinstance(net, OneShot)
            threshold = m.thresholds.detection_score
            into[bundle.key].append(answers(net, [chest], m.preprocessing, threshold=threshold, model=bundle.key))
    yield Done(None)
