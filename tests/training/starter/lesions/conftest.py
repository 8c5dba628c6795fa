"""Chests of rectangles, and a stand-in for the net that reads its marks and their scores from the pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from ctviewer.nets.one_shot import Detections, SliceAnswer
from ctviewer.nets.one_shot.reading import no_rois
from ctviewer.training.starter.chests import INFECTION, LUNG, RECOVERED, Chest

SIDE = 64
BODY_HU, LUNG_HU = 40, -850


@dataclass(frozen=True, eq=False)
class Drawn:
    """A chest, and by slice what was drawn: masks of lesions, (score, mask) of what will be marked as infection."""

    chest: Chest
    truths: list[list[np.ndarray]]
    marks: list[list[tuple[float, np.ndarray]]]


def rectangle(row, column, height, width):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[row : row + height, column : column + width] = True
    return mask


def drawn_chest(name, seed, sick=True, kind=RECOVERED, scores=(), exact=None, patient="", count=4):
    """One lung; in each quarter of a slice perhaps a lesion, and perhaps a mark near it.

    A mark of score s is drawn as HU of 1000 s - 1000, whatever the labels say there. With `exact`, marks are the lesions.
    """
    rng = np.random.default_rng(seed)
    hu = np.full((count, SIDE, SIDE), BODY_HU, np.int16)
    hu[:, 4:60, 4:60] = LUNG_HU
    labels = np.zeros((count, SIDE, SIDE), np.uint8)
    labels[:, 4:60, 4:60] = LUNG
    truths, marks = [], []
    for i in range(count):
        lesions, found = [], []
        for place, (top, left) in enumerate(((8, 8), (8, 36), (36, 8), (36, 36))):
            side = int(rng.integers(9, 16))
            if sick and (place == i % 4 or rng.random() < 0.5):
                lesions.append(rectangle(top, left, side, side))
            near = rectangle(*np.add((top, left), rng.integers(-2, 3, 2)), side, side + int(rng.integers(-3, 3)))
            number = int(rng.choice(scores) * 1000) if scores else int(rng.integers(140, 480)) * 2 + 1
            if exact is None and rng.random() < 0.3 + 0.4 * sick:
                found.append((number / 1000, near))
        if exact is not None:
            found = [(exact, mask) for mask in lesions]
        for mask in lesions:
            labels[i, mask] = INFECTION
        for score, mask in found:
            hu[i, mask] = round(1000 * score - 1000)
        truths.append(lesions)
        marks.append(found)
    return Drawn(Chest(name, patient or f"patient of {name}", kind, hu, labels), truths, marks)


class Reader(nn.Module):
    """Reads marks off the pixels: lungs by their hull, infection by the value, which is the score.

    Attributes:
        least: a weight: marks of a lower score are not given; so training can change what the net says.
    """

    size = SIDE
    segmentation_only = True

    def __init__(self):
        super().__init__()
        self.least = nn.Parameter(torch.tensor(0.0))

    def analyse(self, images, score_threshold, limit):
        """As `OneShot.analyse`, of slices prepared with the window -600/1500, mean 0.5 and standard deviation 0.3."""
        assert not self.training and images.shape[1:] == (1, SIDE, SIDE)
        hu = np.rint(((images[:, 0].numpy() * 0.3 + 0.5) * 1500 - 1350).astype(np.float64)).astype(int)
        return [SliceAnswer(self._detections(one), torch.zeros(0), no_rois(images.device)) for one in hu]

    def _detections(self, hu):
        found = [(0.95, LUNG, *self._edges(hu != BODY_HU))]
        for value in np.unique(hu[(hu != BODY_HU) & (hu != LUNG_HU)]):
            numbered, count = ndimage.label(hu == value)
            score = (value + 1000) / 1000
            if score >= float(self.least):
                found += [(score, INFECTION, *self._edges(numbered == i)) for i in range(1, count + 1)]
        found.sort(key=lambda one: -one[0])
        scores, labels, boxes = ([one[0] for one in found], [one[1] for one in found], [one[2:] for one in found])
        return Detections(
            torch.tensor(boxes, dtype=torch.float32),
            torch.tensor(labels),
            torch.tensor(scores, dtype=torch.float64),
            torch.ones(len(found), 28, 28),
        )

    @staticmethod
    def _edges(mask):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@pytest.fixture(scope="session")
def draw_chest():
    """`draw_chest(name, seed, sick=True, kind=RECOVERED, scores=(), exact=None, patient="", count=4)`: a `Drawn`."""
    return drawn_chest


@pytest.fixture(scope="session")
def new_reader():
    """`new_reader()`: a stand-in for an untrained net."""
    return Reader


@pytest.fixture
def reader():
    return Reader()
