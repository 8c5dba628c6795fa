"""What Ter-Sarkisov published: tables 1 to 4 with their sections, the data behind them, and what cannot be meant as printed.

"One Shot Model For COVID-19 Classification and Lesions Segmentation In Chest CT Scans Using LSTM With Attention Mechanism"
(medRxiv 2021.02.16.21251754). Shares are 0..1 here; the paper prints percent in tables 2 to 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ONE_SHOT_TITLE = "One Shot Model + LSTM + Attention"
AP_NAMES = ("AP@0.5", "AP@0.75", "AP@[0.5:0.95]")
COVID, PNEUMONIA, CONTROL = "COVID-19", "Common pneumonia", "Control"
CLASSES = (COVID, PNEUMONIA, CONTROL)


@dataclass(frozen=True)
class PublishedRow:
    """One model of a published table.

    Attributes:
        model: as the paper calls it.
        values: by column; None where the paper prints nothing.
        trained: whether the paper trained it on the data of its own model (table 2), so that `reproduce` can too.
    """

    model: str
    values: Mapping[str, float | None]
    trained: bool = True


@dataclass(frozen=True)
class PublishedTable:
    """A table as printed.

    Attributes:
        number: from 1.
        title: what it shows.
        source: section and caption in words.
        columns: names, in order.
        rows: in order.
        notes: what must be known to read it.
    """

    number: int
    title: str
    source: str
    columns: tuple[str, ...]
    rows: tuple[PublishedRow, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Misprint:
    """Something that cannot be meant as it is printed.

    Attributes:
        where: in the paper.
        printed: what stands there.
        meant: what it must be, and how that is known.
    """

    where: str
    printed: str
    meant: str


def _rows(columns: tuple[str, ...], scale: float, table: str, *, trained: bool = True) -> tuple[PublishedRow, ...]:
    """Rows of "model | value value …", values divided by `scale`; "-" where nothing is printed."""
    made = []
    for line in table.strip().splitlines():
        model, _, values = line.partition("|")
        cells = [None if cell == "-" else round(float(cell) / scale, 6) for cell in values.split()]
        made.append(PublishedRow(model.strip(), dict(zip(columns, cells, strict=True)), trained))
    return tuple(made)


TABLE_1 = PublishedTable(
    1,
    "Segmentation: average precision on 100 slices of the test split",
    "section 4.2, table 1; CNCB-NCOV, classes lung, ground glass and consolidation",
    AP_NAMES,
    _rows(
        AP_NAMES,
        1,
        """
        One Shot Model + LSTM + Attention | 0.605 0.4979 0.470
        One Shot Model [15]               | 0.590 0.389  0.424
        Mask R-CNN                        | 0.502 0.419  0.387
        Mask R-CNN (heads only)           | 0.444 0.379  0.435
        """,
    ),
    (
        "The paper pools classes per image and averages over images (per_image_ap here); COCO's AP is stricter and stands "
        "beside it.",
    ),
)

_SCORES = (*CLASSES, "F1", "Sensitivity", "Precision")
_TRAINED_ON_THE_SAME = """
    One Shot Model + LSTM + Attention | 95.74 98.13 99.27 98.15 98.15 98.16
    One Shot Model [15]               | 93.35 95.56 95.63 95.16 95.10 95.18
    COVID-CT-Mask-Net [23]            | 90.80 91.62 91.10 91.50 -     -
    ResNet18                          | 92.59 96.25 92.03 93.61 93.62 93.56
    ResNet34                          | 88.70 96.66 99.20 96.17 96.26 95.95
    ResNet50                          | 91.04 97.64 98.97 96.88 96.89 96.84
    ResNeXt50                         | 91.94 88.45 84.30 87.31 87.02 87.34
    ResNeXt101                        | 91.58 92.13 94.02 92.86 93.11 92.59
    DenseNet121                       | 92.64 96.16 98.98 96.69 96.15 97.01
    DenseNet169                       | 89.37 96.78 98.12 95.86 96.11 95.55
"""
_TAKEN_FROM_OTHERS = """
    DRE-Net [25]     | -     -     -     94    93    96
    COVNet [26]      | 90    87    94    -     -     -
    LightCNN [27]    | -     -     -     86.20 87.55 81.95
    ResNet50 [28]    | -     -     -     74.60 -     -
    DenseNet169 [28] | -     -     -     76.00 -     -
"""
_COVID_NET = "COVID-Net CT-2 [29] | 95.70 98.10 98.90 97.95 97.98 97.91"
TABLE_2 = PublishedTable(
    2,
    "Classes of slices on the COVIDx-CT test split (21191 slices)",
    "section 4.3, table 2; sensitivity of each class, then F1, sensitivity and precision of all",
    _SCORES,
    (
        *_rows(_SCORES, 100, _TRAINED_ON_THE_SAME),
        *_rows(_SCORES, 100, _TAKEN_FROM_OTHERS, trained=False),
        *_rows(_SCORES, 100, _COVID_NET),
    ),
    (
        "The paper took the rows with a number in brackets from their publications. DRE-Net, COVNet, LightCNN and those of "
        "[28] were trained and tested on other data: 1282, 456, 203 and 341 slices are printed beside these five, and the "
        "table does not say which belongs to which.",
    ),
)

TABLE_3 = PublishedTable(
    3,
    "Classes of slices on the part of the COVIDx-CT train split that was not learned from (58737 slices)",
    "section 4.4, table 3",
    (*CLASSES, "F1"),
    _rows(
        (*CLASSES, "F1"),
        100,
        """
        One Shot Model + LSTM + Attention | 98.39 98.28 99.31 98.77
        One Shot Model [15]               | 98.02 94.15 96.09 95.75
        """,
    ),
    (
        "Slices of the train split: the paper does not say that their patients are others than those it learned from.",
        "Classes there: control 46 %, common pneumonia 36 %, COVID-19 18 % (section 4.4).",
    ),
)

TABLE_4 = PublishedTable(
    4,
    "Classes of slices on the iCTCF test split (12976 slices), after transfer with 300 slices of each class",
    "section 4.4, table 4; ResNeXt50 + FPN",
    (COVID, CONTROL, "F1"),
    _rows(
        (COVID, CONTROL, "F1"),
        100,
        """
        One Shot Model + LSTM + Attention | 97.73 98.68 98.41
        One Shot Model                    | 94.81 97.46 96.70
        VGG16 [34]                        | 97.00 85.47 -
        """,
    ),
)

TABLES = (TABLE_1, TABLE_2, TABLE_3, TABLE_4)

DATA = (
    "Lesions: 750 slices of CNCB-NCOV with outlined lung, ground glass and consolidation; 650 to train and validate, 100 "
    "to test (section 3.1).",
    "Classes: COVIDx-CT splits of CNCB-NCOV; 3000 slices to train (1000 of each class), all 21191 of the test split to "
    "test (section 3.1).",
    "Hold-out: 58737 slices of the COVIDx-CT train split. Transfer: iCTCF, 600 slices to train and validate, 12976 to test "
    "(section 4.4).",
    "Training: ResNeXt101 32x8d + FPN from pre-trained weights, Adam 0.00001, weight decay 0.001, 50 epochs (section 4.1).",
)

MISPRINTS = (
    Misprint("equation 10", "t log Δσ - (1 - t) log(1 - Δσ)", "a plus between the terms: it is binary cross-entropy."),
    Misprint("equation 11", "TP / (TP + TN)", "TP / (TP + FN): the text calls it sensitivity, or recall."),
    Misprint(
        "section 4.4",
        "12976 test slices of iCTCF, COVID-19 9275 and negative 3701",
        "9275 are negative: weighted so, the sensitivities of table 4 give its F1 score, and as printed they do not.",
    ),
    Misprint(
        "table 1, Mask R-CNN (heads only)",
        "AP@[0.5:0.95] 0.435, with AP@0.5 0.444 and AP@0.75 0.379",
        "another number: a mean over ten thresholds can be 0.412 at the most where AP falls as the threshold rises.",
    ),
    Misprint(
        "section 4.3",
        "COVID-19 sensitivity better than the baselines' by 0.4 to 7.4 %",
        "0.04 to 7.04 by table 2, from COVID-Net CT-2 to ResNet34.",
    ),
    Misprint("section 1", "COVID-19 sensitivity 95.35 %, F1 98.10 %", "95.74 and 98.15 % by abstract and table 2."),
    Misprint("section 5", "95.74 % COVID-19 precision", "it is the sensitivity of table 2."),
)
