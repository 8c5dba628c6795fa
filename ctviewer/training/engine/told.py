"""Judged studies as predictions: with truth, patient and part, under the name that the model will have."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from ctviewer.core.errors import DeviceError
from ctviewer.training.calibration import Calibration
from ctviewer.training.engine.inputs import RunInputs
from ctviewer.training.engine.judging import Judged
from ctviewer.training.engine.starts import Start
from ctviewer.training.predictions import Prediction, Predictions, patient_digest
from ctviewer.training.versions import child_name


def cases_of(inputs: RunInputs, judged: Judged, part_of: Mapping[str, str] | str) -> tuple[Prediction, ...]:
    """Predictions of judged studies, before calibration.

    Args:
        inputs: of the run.
        judged: the studies.
        part_of: split by study, or one for all.

    Raises:
        DeviceError: a logit is not finite.
    """
    if not np.isfinite(judged.logits).all():
        raise DeviceError("The trained net gave values that are not finite; no model is made of it.")
    source, contents = inputs.source, inputs.report.study_sha256
    return tuple(
        Prediction(
            study=study,
            patient=patient_digest(source.patient(study)),
            truth=tuple(source.classes(study)),
            logits=tuple(judged.logits[i].tolist()),
            split=part_of if isinstance(part_of, str) else part_of[study],
            slices=judged.slices[i],
            attention=judged.attention[i],
            content=contents.get(study, ""),
        )
        for i, study in enumerate(judged.studies)
    )


def predictions_of(inputs: RunInputs, start: Start, cases: Sequence[Prediction]) -> Predictions:
    """Of the model that the run makes; its version and threshold are not known yet."""
    key = child_name(inputs.config, inputs.base)
    return Predictions(key, start.classes, start.negative_class, start.head != "multi_label", 0.5, tuple(cases))


def calibrated(predictions: Predictions, calibration: Calibration) -> Predictions:
    """The same with calibrated logits."""
    logits = calibration.apply(predictions.logits)
    cases = [
        dataclasses.replace(case, logits=tuple(row.tolist()))
        for case, row in zip(predictions.cases, logits, strict=True)
    ]
    return dataclasses.replace(predictions, cases=tuple(cases))
