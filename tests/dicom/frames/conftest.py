from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

ENHANCED, LEGACY = "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"
CLASSIC = "1.2.840.10008.5.1.4.1.1.2"


def _rle(image: np.ndarray) -> bytes:
    from pydicom.pixels.encoders import RLELosslessEncoder

    rows, columns = image.shape
    return RLELosslessEncoder.encode(
        image.tobytes(), rows=rows, columns=columns, samples_per_pixel=1, bits_allocated=16, bits_stored=16,
        pixel_representation=0, photometric_interpretation="MONOCHROME2", number_of_frames=1, planar_configuration=0,
    )  # fmt: skip


ENCODERS = {
    "rle": (RLELossless, _rle),
    "jpeg_lossless": (
        JPEGLosslessSV1,
        lambda image: imagecodecs.jpeg8_encode(image, lossless=True, predictor=1, bitspersample=16),
    ),
    "jpeg_ls": (JPEGLSLossless, imagecodecs.jpegls_encode),
    "jpeg_2000": (
        JPEG2000Lossless,
        lambda image: imagecodecs.jpeg2k_encode(image, level=0, reversible=True, codecformat="j2k"),
    ),
}


@dataclass
class Frame:
    """What one frame is; None leaves the attribute out."""

    position: Sequence[float] | None
    orientation: Sequence[float] | None = (1, 0, 0, 0, 1, 0)
    slope: float = 1.0
    intercept: float = -1024.0
    window: tuple[float, float] = (40.0, 400.0)
    stack: str = "1"
    place: int = 1
    time: int = 1
    acquisition: int = 1
    number: int | None = None  # of the slice that it was converted from
    extra: Callable[[Dataset], None] | None = None


@dataclass
class Multi:
    """A multi-frame file on disk: what went in, in the order of its frames."""

    path: Path
    stored: np.ndarray
    frames: list[Frame] = field(default_factory=list)


def _item(**values: object) -> list[Dataset]:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return [made]


def _described(frame: Frame, sop_class: str) -> Dataset:
    made = Dataset()
    made.FrameContentSequence = _item(
        StackID=frame.stack, InStackPositionNumber=frame.place, TemporalPositionIndex=frame.time,
        FrameAcquisitionNumber=frame.acquisition, DimensionIndexValues=[frame.time, frame.place],
        FrameAcquisitionDateTime=f"20261122101{frame.acquisition % 10}00.5+0100",
    )  # fmt: skip
    if frame.position is not None:
        made.PlanePositionSequence = _item(ImagePositionPatient=[f"{x:.6f}"[:16] for x in frame.position])
    if frame.orientation is not None:
        made.PlaneOrientationSequence = _item(ImageOrientationPatient=[f"{x:.9f}"[:16] for x in frame.orientation])
    made.PixelValueTransformationSequence = _item(
        RescaleIntercept=frame.intercept, RescaleSlope=frame.slope, RescaleType="HU"
    )
    made.FrameVOILUTSequence = _item(WindowCenter=frame.window[0], WindowWidth=frame.window[1])
    if sop_class == LEGACY:
        made.UnassignedPerFrameConvertedAttributesSequence = _item(InstanceNumber=frame.number, KVP="100")
    if frame.extra is not None:
        frame.extra(made)
    return made


def _shared(sop_class: str) -> Dataset:
    made = Dataset()
    made.PixelMeasuresSequence = _item(PixelSpacing=[0.75, 0.75], SliceThickness=2.5)
    made.CTImageFrameTypeSequence = _item(
        FrameType=["ORIGINAL", "PRIMARY", "AXIAL", "NONE"], VolumetricProperties="VOLUME"
    )
    made.CTReconstructionSequence = _item(ConvolutionKernel="B70f")
    if sop_class == LEGACY:
        made.UnassignedSharedConvertedAttributesSequence = _item(AcquisitionNumber=7, BodyPartExamined="CHEST")
    else:
        made.CTXRayDetailsSequence = _item(KVP="120")
        region = _item(CodeValue="51185008", CodingSchemeDesignator="SCT", CodeMeaning="Chest")
        made.FrameAnatomySequence = _item(FrameLaterality="U", AnatomicRegionSequence=region)
        made.ContrastBolusUsageSequence = _item(ContrastBolusAgentNumber=1, ContrastBolusAgentAdministered="YES")
    return made


def _file(path: Path, stored: np.ndarray, sop_class: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
    made = FileDataset(str(path), {}, preamble=bytes(128), file_meta=meta)
    made.SOPClassUID, made.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    made.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    made.Modality, made.PatientID, made.PatientName = "CT", "P1", "Frames^Of"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.SeriesNumber = "1.2.3", "1.2.3.4", 3
    made.InstanceNumber = 1
    made.ContrastBolusAgentSequence = _item(CodeValue="1", CodingSchemeDesignator="99", CodeMeaning="Iohexol")
    made.Rows, made.Columns = stored.shape[1:]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = stored.itemsize * 8
    made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits, bits - 1
    made.PixelRepresentation = int(stored.dtype.kind == "i")
    made.NumberOfFrames = len(stored)
    return made


def _set_pixels(made: FileDataset, stored: np.ndarray, compress: str | None, table: str, fragments: int) -> None:
    if compress is None:
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.PixelData = stored.tobytes()
        made["PixelData"].VR = "OW" if stored.itemsize == 2 else "OB"
        return
    syntax, encode = ENCODERS[compress]
    made.file_meta.TransferSyntaxUID = syntax
    parts = [bytes(encode(np.ascontiguousarray(image))) for image in stored]
    if table == "extended":
        made.PixelData, made.ExtendedOffsetTable, made.ExtendedOffsetTableLengths = encapsulate_extended(parts)
    else:
        made.PixelData = encapsulate(parts, fragments_per_frame=fragments, has_bot=table == "basic")
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True


@pytest.fixture
def multi(tmp_path) -> Callable[..., Multi]:
    """Write a multi-frame file in which each pixel of each frame has its own value."""

    def make(
        frames: Sequence[Frame], *, name="multi.dcm", sop_class=ENHANCED, shape=(10, 12), dtype=np.uint16, compress=None,
        table="basic", fragments=1, undefined_length=False, change: Callable[[FileDataset], None] | None = None, start=0,
    ) -> Multi:  # fmt: skip
        path = tmp_path / "opened" / name
        path.parent.mkdir(exist_ok=True)
        shape = (len(frames), *shape)
        stored = (np.arange(np.prod(shape)) + start).reshape(shape).astype(dtype)
        made = _file(path, stored, sop_class)
        if sop_class != CLASSIC:
            pointers = (0x00209128, 0x00209057)
            made.DimensionIndexSequence = [_item(DimensionIndexPointer=pointer)[0] for pointer in pointers]
            made.SharedFunctionalGroupsSequence = [_shared(sop_class)]
            made.PerFrameFunctionalGroupsSequence = [_described(frame, sop_class) for frame in frames]
            for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
                made[keyword].is_undefined_length = undefined_length
        _set_pixels(made, stored, compress, table, fragments)
        if change is not None:
            change(made)
        pydicom.dcmwrite(path, made, enforce_file_format=True)
        return Multi(path, stored, list(frames))

    return make


@pytest.fixture
def frame() -> type[Frame]:
    return Frame


@pytest.fixture
def along() -> Callable[..., list[Frame]]:
    """Frames at equal distances along the normal of an orientation, in the order given by `order`."""

    def make(count=6, row=(1, 0, 0), column=(0, 1, 0), step=2.5, order=None, shear=(0, 0, 0), **changes) -> list[Frame]:
        normal = np.cross(row, column)
        first = np.array([-50.0, -60.0, 30.0])
        made = [
            Frame(first + k * (step * normal + np.array(shear)), (*row, *column), place=k + 1, **changes)
            for k in range(count)
        ]
        return made if order is None else [made[k] for k in order]

    return make
