"""The formats of labelled slices in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ctviewer.ui.presenters.looking_sets import IMAGES, LESIONS


@dataclass(frozen=True)
class SetFormat:
    """What a person chooses a format by.

    Attributes:
        key: one of `training.config.FORMATS`.
        title: in the list.
        told: how such a folder looks, in sentences.
        table: what the field for its list file says while it is empty; "" where the format has none.
    """

    key: str
    title: str
    told: str
    table: str = ""


_STUDIES = "Each study is a sub-folder, an archive or a file; labels.csv names its patient{0}."
_OF_FOLDER = "labels.csv of the folder"
FORMATS: Mapping[str, tuple[SetFormat, ...]] = MappingProxyType(
    {
        LESIONS: (
            SetFormat(
                "studies",
                "Own studies with masks",
                f"{_STUDIES.format('')} The masks of a study lie in masks/STUDY, as DICOM SEG, NIfTI or PNG. A training set "
                "that this viewer wrote is such a folder.",
                _OF_FOLDER,
            ),
            SetFormat(
                "cncb",
                "CNCB-NCOV: lesion slices",
                "imgs/PATIENT_SLICE.jpg with masks/PATIENT_SLICE.png: lung, ground glass and consolidation, all marked.",
            ),
            SetFormat(
                "covid19_ct_seg",
                "COVID-19-CT-Seg: slices with infection",
                'PNG slices of one name in the folders ct, covid and lungs, all marked. With the values "recovered" their contrast '
                "is undone and they are in Hounsfield units, exact to some tens.",
            ),
            SetFormat(
                "lidc",
                "LIDC-IDRI: contours of nodules",
                "XML files with the contours of up to four readers, each beside its DICOM series. A pixel is nodule where half "
                "of the readers say so.",
            ),
        ),
        IMAGES: (
            SetFormat(
                "studies",
                "Own studies with a class",
                f"{_STUDIES.format(' and its class')} Slices with a lesion have that class, those reviewed without one the class "
                "without a finding, and so have all slices of a study without one.",
                _OF_FOLDER,
            ),
            SetFormat(
                "covidx",
                "COVIDx-CT, versions 1 to 3",
                "Pictures, and a list each for training, validation and test: file, class and box in a line.",
                "all lists of the folder",
            ),
            SetFormat(
                "prefixed",
                "Pictures named CLASS_PATIENT_SCAN_SLICE",
                "Such as NCP_96_1328_0032.png. A list may say which of them to take, a name in a line.",
                "all pictures of the folder",
            ),
            SetFormat(
                "ictcf",
                "iCTCF",
                "0_nCT….jpg is negative, 2_pCT….jpg COVID-19. The set does not say which slices are of one patient.",
                "all pictures of the folder",
            ),
        ),
    }
)


def format_of(kind: str, key: str) -> SetFormat:
    """By its key; the first of the kind where there is no such."""
    return next((one for one in FORMATS[kind] if one.key == key), FORMATS[kind][0])
