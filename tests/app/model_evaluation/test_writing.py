"""Which figures of a card give way to those that were measured now."""

from __future__ import annotations

import dataclasses

from ctviewer.app.model_evaluation.parts import ATTENTION, CALIBRATION, PATIENTS, Part, figure
from ctviewer.app.model_evaluation.writing import write_figures
from ctviewer.models.bundle import restate

PHANTOMS = "phantom, held-out families"
COUNTED = f"{PHANTOMS}, 6 studies of 2 patients"


def _known(bundle, *metrics):
    return restate(bundle, dataclasses.replace(bundle.metadata, metrics=metrics, figure_notes={PHANTOMS: "Old."}))


def _names(bundle):
    return [(one.name, one.data) for one in bundle.metadata.metrics]


def _part(name, bundle, *metrics):
    return Part(name, name, {bundle.key: metrics})


def test_figures_of_a_set_give_way_to_new_ones_on_it_also_where_its_counts_are_said_now(make_classifier):
    first, second = figure("AUC", 0.9, 2, "patients", PHANTOMS), figure("AUC", 0.8, 1, "patient", "P001")
    bundle = _known(make_classifier(), first, second)
    new, tenth = figure("ECE", 0.1, 2, "patients", COUNTED), figure("tenth", 0.1, 2, "patients", COUNTED)
    parts = [_part(CALIBRATION, bundle, new), _part(ATTENTION, bundle, tenth)]
    written = write_figures(bundle, parts)
    assert _names(written) == [("AUC", "P001"), ("ECE", COUNTED), ("tenth", COUNTED)]
    assert PHANTOMS not in written.metadata.figure_notes


def test_one_of_two_parts_on_the_same_studies_leaves_the_figures_of_the_other(make_classifier):
    bundle = _known(make_classifier(), *(figure(name, 0.9, 2, "patients", COUNTED) for name in ("ECE", "tenth")))
    tenth = figure("tenth", 0.2, 2, "patients", COUNTED)
    written = write_figures(bundle, [_part(ATTENTION, bundle, tenth)])
    assert {one.name: one.value for one in written.metadata.metrics} == {"ECE": 0.9, "tenth": 0.2}
    other = figure("AUC", 0.5, 1, "patient", "P001")
    assert len(_names(write_figures(written, [_part(PATIENTS, bundle, other)]))) == 3
