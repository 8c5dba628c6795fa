"""What a scan of a folder finds: patients, studies, series, slices, and what there is to say about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ctviewer.core.geometry import Plane, Vector


class Severity(Enum):
    """How much a notice matters to the reader."""

    INFO = "info"
    WARNING = "warning"
    DANGER = "danger"


class VolumeUse(Enum):
    """What the slices of a series may be used for together."""

    VOLUME = "volume"
    SHEARED = "sheared"  # the gantry was tilted: a volume only after each slice is shifted back
    SLICES_ONLY = "slices-only"  # reading slice by slice: no reformatting


@dataclass(frozen=True)
class Notice:
    """One thing to tell the reader about a folder, series or slice.

    Attributes:
        code: stable identifier in kebab-case, e.g. "missing-slices".
        severity: how much it matters.
        text: one sentence, free of patient data.
        slices: volume indices it concerns (empty: the whole series).
        paths: files it concerns where there is no volume index for them.
    """

    code: str
    severity: Severity
    text: str
    slices: tuple[int, ...] = ()
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Patient:
    """Patient module, as in the file; empty strings where absent. Never logged."""

    name: str = ""
    patient_id: str = ""
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True)
class Study:
    """General Study module; dates and times as DICOM DA / TM strings."""

    uid: str = ""
    date: str = ""
    time: str = ""
    accession: str = ""
    description: str = ""
    referring: str = ""


@dataclass(frozen=True)
class SliceRef:
    """One slice (a file, or one frame of a multi-frame file).

    Attributes:
        path: the file.
        frame: frame index from 0.
        sop_instance_uid: empty for formats without one.
        instance_number: InstanceNumber, None where absent.
        position: ImagePositionPatient in LPS mm, None where absent.
        lossy: compressed with loss at some time.
        frame_number: which frame it is, from 1, where instance_number alone does not tell it from other slices.
        compression_ratio: how many to one, as stated in the file; None where it states none.
    """

    path: Path
    frame: int = 0
    sop_instance_uid: str = ""
    instance_number: int | None = None
    position: Vector | None = None
    lossy: bool = False
    compression_ratio: float | None = None
    frame_number: int | None = None

    @property
    def name(self) -> str:
        """`Im 45`, by the file's own number; empty where it has none."""
        return image_name(self.instance_number, self.frame_number)


def image_name(number: int | None, frame: int | None = None) -> str:
    """How an image is called by its numbers: `Im 45`, `Im 3 frame 2`; empty without a number."""
    if number is None:
        return ""
    return f"Im {number}" if frame is None else f"Im {number} frame {frame}"


@dataclass(frozen=True)
class Series:
    """One series that can be opened as a stack of slices, or is listed and left alone.

    Attributes:
        key: identifies the series on this machine: SeriesInstanceUID, plus "#" and a digest of what sets a part
            apart where one series was split: it stays when other files come or go.
        uid: SeriesInstanceUID.
        readable: whether the viewer can show it; where not, `reason` says why in a sentence.
        slices: in volume order (along the right-handed normal); InstanceNumber order without positions.
        rows, columns: image size in pixels.
        protocol: ProtocolName.
        pixel_spacing: mm between rows, mm between columns; None where absent.
        slice_spacing: mm between slice positions (see `Geometry.slice_spacing`); None where unknown.
        thickness: SliceThickness in mm, as in the file.
        is_original: no localizer, and nothing says that it was derived from other images.
        is_localizer: a scout or localizer.
        transfer_syntax: short name for the status line ("JPEG Lossless").
        lossy: lossy compression at some time, as stated in the file or by its transfer syntax.
        notices: what to tell the reader.
        use: what the slices may be used for together.
        use_reason: why that is no volume, a clause ("slices are missing"); empty for a volume.
        questions: what the files leave open and only the reader can state (`core.interpretation`): "values" (what they mean),
            "spacing", "orientation"; empty for DICOM.
        shown_from_last: whether the slice with the highest index is shown first (see `Geometry.display_order`).
        private: what the reader of this format needs to load it; opaque to other layers.
    """

    key: str
    uid: str
    modality: str
    patient: Patient
    study: Study
    slices: tuple[SliceRef, ...]
    rows: int
    columns: int
    description: str = ""
    number: int | None = None
    body_part: str = ""
    kernel: str = ""
    manufacturer: str = ""
    model_name: str = ""
    image_type: tuple[str, ...] = ()
    plane: Plane = Plane.UNKNOWN
    pixel_spacing: tuple[float, float] | None = None
    slice_spacing: float | None = None
    thickness: float | None = None
    kvp: float | None = None
    contrast_agent: str = ""
    protocol: str = ""
    is_original: bool = True
    is_localizer: bool = False
    lossy: bool = False
    transfer_syntax: str = ""
    readable: bool = True
    reason: str = ""
    notices: tuple[Notice, ...] = ()
    use: VolumeUse = VolumeUse.VOLUME
    use_reason: str = ""
    questions: tuple[str, ...] = ()
    shown_from_last: bool = False
    private: object = field(default=None, compare=False, repr=False)

    @property
    def owner(self) -> tuple[str, str]:
        """Whose it is: patient ID and name, without what is only spelling."""
        return self.patient.patient_id, self.patient.name.rstrip("^ ").casefold()

    @property
    def study_key(self) -> tuple[str, str, str]:
        """Tells its study from others: files of two patients may share a study UID by mistake."""
        return *self.owner, self.study.uid

    def citation(self, index: int) -> str:
        """How lists, reports and messages name a slice: `Se 3 / Im 45`, by the file's own numbers."""
        image = self.image_name(index)
        return f"Se {self.number} / {image}" if self.number is not None else image

    def image_name(self, index: int) -> str:
        """A slice within its series: `Im 45`, or its place in the order shown where the file has no number."""
        place = len(self.slices) - index if self.shown_from_last else index + 1
        return self.slices[index].name or f"slice {place}"

    def lossy_mark(self, index: int) -> str:
        """What stands on the image of a slice that was compressed with loss: "LOSSY 10:1"; else empty."""
        if not self.lossy:
            return ""
        if self.slices and self.slices[index].lossy:
            ratio = self.slices[index].compression_ratio
            return "LOSSY" if ratio is None else f"LOSSY {ratio:.3g}:1"
        return "" if any(one.lossy for one in self.slices) else "LOSSY"  # which slices is known, or not


LEFT_OUT = ("unreadable-files", "unlisted-folders", "referenced-files-missing", "lost-frames")
"""Codes of notices that tell that something to be read could not be, and is left out."""


@dataclass(frozen=True)
class Catalog:
    """All that a scan found.

    Attributes:
        root: what was opened.
        series: in the order of preference: the first readable one opens by itself.
        notices: what concerns no single series (unreadable files among good ones, for instance).
    """

    root: Path
    series: tuple[Series, ...]
    notices: tuple[Notice, ...] = ()

    @property
    def incomplete(self) -> bool:
        """Whether something that was to be read could not be, and is left out: a damaged file, a folder, a missing one."""
        told = (self.notices, *(series.notices for series in self.series))
        return any(notice.code in LEFT_OUT for notices in told for notice in notices)
