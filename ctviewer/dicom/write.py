"""Writing a CT series as classic CT Image Storage files (PS3.3 A.3): the sample study, phantoms, synthetic test series."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MRImageStorage,
    generate_uid,
)
from pydicom.valuerep import format_number_as_ds

from ctviewer.core.errors import StorageError
from ctviewer.core.files import reason
from ctviewer.core.geometry import Geometry
from ctviewer.core.windowing import Window

_IMPLEMENTATION_UID = generate_uid(entropy_srcs=["ctviewer", "implementation class"])
_UID_OF_MODALITY = {"CT": CTImageStorage, "MR": MRImageStorage}


@dataclass(frozen=True)
class SeriesAttributes:
    """What a written series says of itself, equal in all its slices.

    UIDs left empty are derived from the pixels, the geometry and all other attributes here, so that the same input
    gives the same files, byte by byte, and different input never shares a UID.

    Attributes:
        windows: (0028,1050) and (0028,1051), in order; names become their explanations.
        slope, intercept: stored * slope + intercept = HU.
        padding: PixelPaddingValue in stored values, None to leave it out.
        thickness: SliceThickness in mm; None writes it empty.
    """

    patient_name: str = ""
    patient_id: str = ""
    birth_date: str = ""
    sex: str = ""
    study_uid: str = ""
    series_uid: str = ""
    frame_of_reference_uid: str = ""
    date: str = "20260101"
    time: str = "000000"
    accession: str = ""
    study_description: str = ""
    description: str = ""
    series_number: int = 1
    modality: str = "CT"
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL")
    body_part: str = "CHEST"
    kernel: str = "STANDARD"
    manufacturer: str = "ctviewer"
    model_name: str = ""
    thickness: float | None = None
    kvp: float | None = 120.0
    windows: tuple[Window, ...] = ()
    slope: float = 1.0
    intercept: float = 0.0
    padding: int | None = None


Stored = NDArray[np.integer[Any]]
Encoder = Callable[[Stored], bytes]


def _encode_jpeg_lossless(image: Stored) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(image.view(np.uint16), lossless=True, predictor=1, bitspersample=16))


def _encode_jpeg_ls(image: Stored) -> bytes:
    return bytes(imagecodecs.jpegls_encode(image.view(np.uint16)))


def _encode_jpeg_2000(image: Stored) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(image, level=0, reversible=True, codecformat="j2k"))


_ENCODERS: dict[str, tuple[UID, Encoder]] = {
    "jpeg_lossless": (JPEGLosslessSV1, _encode_jpeg_lossless),
    "jpeg_ls": (JPEGLSLossless, _encode_jpeg_ls),
    "jpeg_2000": (JPEG2000Lossless, _encode_jpeg_2000),
}


def write_ct_series(
    folder: Path,
    stored: Stored,
    *,
    geometry: Geometry,
    attributes: SeriesAttributes = SeriesAttributes(),
    compress: str | None = None,
) -> list[Path]:
    """Write a stack as one DICOM file per slice, `IM0001.dcm` onwards; all of them appear at once, or none.

    InstanceNumber (and the file name) counts in the order shown (axial: head first), which is not the volume order.

    Args:
        folder: where the files go; made if absent. Other files in it stay.
        stored: `[slices, rows, columns]` int16 or uint16 stored values, in volume order.
        geometry: origins and pixel spacing (LPS mm) are required; `geometry.shape` equals `stored.shape`.
        attributes: what the series says of itself.
        compress: None (uncompressed), "jpeg_lossless", "jpeg_ls" or "jpeg_2000" (all without loss).

    Returns:
        The paths, in volume order.

    Raises:
        ValueError: shapes or types do not fit, or the geometry has no positions or spacing.
        StorageError: the folder cannot be written.
    """
    _require_writable(stored, geometry)
    numbers = np.empty(len(stored), int)
    numbers[geometry.display_order] = np.arange(1, len(stored) + 1)
    names = [f"IM{number:04d}.dcm" for number in numbers]
    plan = _Plan.derive(stored, geometry, attributes)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name[:40]}.", suffix=".part", dir=folder.parent) as scratch:
            for index, name in enumerate(names):
                dataset = plan.dataset(stored[index], index, int(numbers[index]))
                _set_pixels(dataset, stored[index], compress)
                _save(dataset, Path(scratch) / name)
            _move_all(Path(scratch), folder, names)
    except OSError as error:
        raise StorageError(f"{folder} could not be written: {reason(error)}.") from error
    return [folder / name for name in names]


def _require_writable(stored: Stored, geometry: Geometry) -> None:
    if stored.dtype not in (np.dtype(np.int16), np.dtype(np.uint16)) or stored.shape != geometry.shape:
        raise ValueError("stored values must be 16-bit integers of the geometry's shape")
    if geometry.origins is None or geometry.pixel_spacing is None:
        raise ValueError("a DICOM CT series needs positions and pixel spacing")


def _save(dataset: Dataset, path: Path) -> None:
    with path.open("wb") as file:
        dataset.save_as(file, enforce_file_format=True)
        file.flush()
        os.fsync(file.fileno())


def _move_all(scratch: Path, folder: Path, names: list[str]) -> None:
    """Put the finished files in place: the folder in one rename where there is none yet, else file by file."""
    if not folder.exists():
        finished = scratch / "finished"
        finished.mkdir()
        for name in names:
            (scratch / name).rename(finished / name)
        finished.rename(folder)
        return
    for name in names:
        shutil.move(scratch / name, folder / name)


@dataclass(frozen=True)
class _Plan:
    """What all slices of one written series share."""

    geometry: Geometry
    attributes: SeriesAttributes
    study: str
    series: str
    frame: str

    @classmethod
    def derive(cls, stored: Stored, geometry: Geometry, attributes: SeriesAttributes) -> _Plan:
        """Fill in the UIDs that the attributes leave open."""
        a = attributes
        study = a.study_uid or generate_uid(
            entropy_srcs=["study", a.patient_id, a.patient_name, a.date, a.time, a.accession, a.study_description]
        )
        frame = a.frame_of_reference_uid or generate_uid(entropy_srcs=["frame", study])
        content = hashlib.sha256(np.ascontiguousarray(stored).data)
        content.update(np.asarray(geometry.origins, np.float64).tobytes())
        planes = (geometry.shape, geometry.row_cosines, geometry.column_cosines, geometry.pixel_spacing)
        series = a.series_uid or generate_uid(
            entropy_srcs=["series", study, repr(a), repr(planes), content.hexdigest()],
        )
        return cls(geometry, attributes, study, series, frame)

    def dataset(self, image: Stored, index: int, number: int) -> Dataset:
        """One slice without its pixels."""
        dataset = Dataset()
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.SOPClassUID = _UID_OF_MODALITY.get(self.attributes.modality, CTImageStorage)
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=["slice", self.series, str(index)])
        meta = dataset.file_meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        meta.ImplementationClassUID = _IMPLEMENTATION_UID
        meta.ImplementationVersionName = "CTVIEWER"
        _set_patient_and_study(dataset, self)
        _set_series(dataset, self)
        _set_plane(dataset, index, self)
        dataset.InstanceNumber = number
        _set_image(dataset, image, self.attributes)
        return dataset


def _number(value: float | None) -> str | None:
    """A DS value: at most 16 characters, as exact as that allows; None stays an empty value."""
    return None if value is None else format_number_as_ds(float(value))


def _numbers(*values: float) -> list[str | None]:
    return [_number(value) for value in values]


def _set_patient_and_study(dataset: Dataset, plan: _Plan) -> None:
    attributes = plan.attributes
    dataset.PatientName = attributes.patient_name
    dataset.PatientID = attributes.patient_id
    dataset.PatientBirthDate = attributes.birth_date
    dataset.PatientSex = attributes.sex
    dataset.StudyInstanceUID = plan.study
    dataset.StudyDate = attributes.date
    dataset.StudyTime = attributes.time
    dataset.StudyID = ""
    dataset.AccessionNumber = attributes.accession
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = attributes.study_description


def _set_series(dataset: Dataset, plan: _Plan) -> None:
    attributes = plan.attributes
    dataset.Modality = attributes.modality
    dataset.SeriesInstanceUID = plan.series
    dataset.SeriesNumber = attributes.series_number
    dataset.SeriesDescription = attributes.description
    dataset.BodyPartExamined = attributes.body_part
    dataset.PatientPosition = "HFS"
    dataset.FrameOfReferenceUID = plan.frame
    dataset.PositionReferenceIndicator = ""
    dataset.Manufacturer = attributes.manufacturer
    dataset.ManufacturerModelName = attributes.model_name
    dataset.ConvolutionKernel = attributes.kernel
    dataset.KVP = _number(attributes.kvp)


def _set_plane(dataset: Dataset, index: int, plan: _Plan) -> None:
    geometry, attributes = plan.geometry, plan.attributes
    assert geometry.origins is not None and geometry.pixel_spacing is not None  # by _require_writable
    dataset.AcquisitionNumber = 1
    dataset.ImageType = list(attributes.image_type)
    dataset.ImagePositionPatient = _numbers(*geometry.origins[index])
    dataset.ImageOrientationPatient = _numbers(*geometry.row_cosines, *geometry.column_cosines)
    dataset.PixelSpacing = _numbers(*geometry.pixel_spacing)
    dataset.SliceThickness = _number(attributes.thickness)


def _set_image(dataset: Dataset, image: Stored, attributes: SeriesAttributes) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = image.shape
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = int(image.dtype == np.int16)
    if attributes.padding is not None:
        dataset.PixelPaddingValue = attributes.padding
    dataset.RescaleIntercept, dataset.RescaleSlope = _numbers(attributes.intercept, attributes.slope)
    if attributes.modality == "CT":
        dataset.RescaleType = "HU"
    if attributes.windows:
        dataset.WindowCenter = _numbers(*(window.centre for window in attributes.windows))
        dataset.WindowWidth = _numbers(*(window.width for window in attributes.windows))
        dataset.VOILUTFunction = attributes.windows[0].function.value
        if all(window.name for window in attributes.windows):
            dataset.WindowCenterWidthExplanation = [window.name for window in attributes.windows]


def _set_pixels(dataset: Dataset, image: Stored, compress: str | None) -> None:
    if compress is None:
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.PixelData = image.astype(image.dtype.newbyteorder("<"), copy=False).tobytes()
        dataset["PixelData"].VR = "OW"
        return
    syntax, encode = _ENCODERS[compress]
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([encode(np.ascontiguousarray(image))])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
