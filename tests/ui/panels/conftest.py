from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage

from ctviewer.core.findings import (
    AnalysisResult,
    Check,
    Instance,
    Lesion,
    ModelInfo,
    Provenance,
    SliceScore,
    StudyClassification,
    Suitability,
)
from ctviewer.core.masks import BoxMask
from ctviewer.core.series import Patient, Series, SliceRef, Study
from ctviewer.ui import theme

CLASSES = ("control", "pneumonia-like", "COVID-19-like")


@pytest.fixture
def dark(qapp):
    theme.apply_theme(qapp, "dark")
    return theme.DARK


@pytest.fixture
def picture():
    image = QImage(32, 32, QImage.Format.Format_Grayscale8)
    image.fill(180)
    return image


@pytest.fixture
def show(qtbot, dark):
    """Shows a panel in a column of a given width."""

    def build(panel, width=300, height=420):
        qtbot.addWidget(panel)
        panel.resize(width, height)
        with qtbot.waitExposed(panel):
            panel.show()
        return panel

    return build


@pytest.fixture
def has_colour():
    """Whether a colour stands in a widget's picture."""

    def look(widget, colour):
        image, wanted = widget.grab().toImage(), QColor(colour).rgb()
        return any(image.pixel(x, y) == wanted for x in range(image.width()) for y in range(image.height()))

    return look


@pytest.fixture
def model():
    return ModelInfo(
        "demo", "1.2.0", "study_classifier", "ab" * 32, CLASSES, "trained on phantoms only", "Not for children.", "MIT"
    )


@pytest.fixture
def classification(model):
    return StudyClassification(model, (0.021, 0.004, 0.975), "control", 0.5, SliceScore.ATTENTION, np.full(20, 0.05))


@pytest.fixture
def doubtful():
    return Suitability((Check("spacing", "warn", "Slice spacing is 5.0 mm, more than 3.0 mm."),))


@pytest.fixture
def result(model, classification, doubtful):
    provenance = Provenance(
        (model, replace(model, name="finder", task="one_shot")),
        "cpu",
        "float32",
        "ctviewer 0.1.0",
        "2026-11-22T10:00:00+00:00",
        41.2,
        (("batch", "8"),),
    )
    return AnalysisResult("k", "1.2", ("a",) * 20, doubtful, classification, (), np.zeros(20), "mm2", provenance)


@pytest.fixture
def lesion():
    mask = BoxMask.from_array(np.ones((4, 4), bool))

    def build(
        lesion_id, label="ground glass", slices=(3, 4, 5), score=0.9, volume=4.2, size=18.4, hu=-512.3, side="left"
    ):
        instances = tuple(Instance(s, label, score, mask) for s in slices)
        return Lesion(lesion_id, label, score, instances, volume, size, hu, side)

    return build


@pytest.fixture
def series():
    def build(key="a", study="s1", count=148, **fields):
        known = {
            "patient": Patient("Müller^Anna", "P001"),
            "study": Study(study, "20200312", "101500", description="CT thorax"),
            "description": "Lung 2.0",
            "number": 3,
            "slice_spacing": 2.0,
            **fields,
        }
        slices = tuple(SliceRef(Path(f"{n}.dcm")) for n in range(count))
        return Series(key, "1.2." + key, "CT", slices=slices, rows=512, columns=512, **known)

    return build
