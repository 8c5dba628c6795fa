"""What a classifier said of studies whose truth is known: the common ground of evaluation, calibration and comparison.

No torch, no pixels; patients by a digest, so that a file of predictions names nobody.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def patient_digest(patient: str) -> str:
    """What stands for a patient in files that outlive a run."""
    return hashlib.sha256(b"ctviewer patient\0" + patient.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class Prediction:
    """One study.

    Attributes:
        study: its id in the source.
        patient: `patient_digest`.
        truth: its classes.
        logits: of all classes, in the order of `Predictions.classes`, after calibration.
        split: "val", "test", "external:NAME", or "cross-validation".
        slices: how many were seen.
        attention: by slice, head to feet; empty where the aggregator has none.
        content: SHA-256 of the pixels, "" where unknown.
        ranking: logits to rank studies by, for areas under curves; empty: `logits`. In a cross-validation each fold is
            calibrated by the others, which puts the folds out of step with each other; these are calibrated all alike.
    """

    study: str
    patient: str
    truth: tuple[str, ...]
    logits: tuple[float, ...]
    split: str
    slices: int = 0
    attention: tuple[float, ...] = ()
    content: str = ""
    ranking: tuple[float, ...] = ()


@dataclass(frozen=True)
class Subject:
    """What was judged: a study, or a scan of labelled slices.

    Attributes:
        study: its id in the source.
        patient: `patient_digest`.
        split: as `Prediction.split`.
        content: SHA-256 of the pixels, and of a scan of labelled slices of its labels too; "" where unknown.
        images: short digests of single slices, whatever their labels; none of studies.
    """

    study: str
    patient: str
    split: str
    content: str
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Predictions:
    """Of one model on one set of studies.

    Attributes:
        model: "name version".
        classes: order of the logits.
        negative_class: "" for none.
        exclusive: whether probabilities are a softmax (else each a sigmoid).
        threshold: finding probability from which a study counts as positive.
        cases: one per study.
    """

    model: str
    classes: tuple[str, ...]
    negative_class: str
    exclusive: bool
    threshold: float
    cases: tuple[Prediction, ...]

    @property
    def logits(self) -> NDArray[np.float64]:
        """`[studies, classes]`."""
        return np.array([case.logits for case in self.cases], np.float64).reshape(len(self.cases), len(self.classes))

    @property
    def ranking(self) -> NDArray[np.float64]:
        """`[studies, classes]` logits to rank studies by."""
        rows = [case.ranking or case.logits for case in self.cases]
        return np.array(rows, np.float64).reshape(len(self.cases), len(self.classes))

    @property
    def truth(self) -> NDArray[np.bool_]:
        """`[studies, classes]`: which classes each study shows."""
        rows = [[name in case.truth for name in self.classes] for case in self.cases]
        return np.array(rows, bool).reshape(len(self.cases), len(self.classes))

    @property
    def patients(self) -> tuple[str, ...]:
        """Of each study."""
        return tuple(case.patient for case in self.cases)

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """What was judged."""
        return tuple(Subject(case.study, case.patient, case.split, case.content) for case in self.cases)

    def of(self, split: str) -> Predictions:
        """Those of one split."""
        cases = tuple(case for case in self.cases if case.split == split)
        return Predictions(self.model, self.classes, self.negative_class, self.exclusive, self.threshold, cases)
