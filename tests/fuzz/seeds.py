"""Valid small files of every kind that is read: what the fuzzer damages."""

from __future__ import annotations

import functools
import io
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import imagecodecs
import numpy as np
from fuzz.elements import TRANSFER_SYNTAX, Element, build, parse
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage, MediaStorageDirectoryStorage

PATIENT_NAME, PATIENT_ID = "Zzyzxova^Secretina", "QQSECRETID77"
ROWS, COLUMNS, FRAMES = 24, 32, 3
_UID = "1.2.826.0.1.3680043.8.498.77"
_BASE = "1.2.840.10008.1.2"
_JPEG = f"{_BASE}.4"
Pixels = NDArray[np.uint16]


@dataclass(frozen=True)
class Seed:
    """One valid file.

    Attributes:
        family: the kind that results are counted by.
        name: file name.
        pixels: `[slices, rows, columns]` stored values that opening it must give; None where compression lost some.
        neighbours: valid files of the same series, which must open whatever happens to this one.
    """

    family: str
    name: str
    data: bytes
    pixels: NDArray[np.generic] | None
    neighbours: tuple[bytes, ...] = ()

    @property
    def is_dicom(self) -> bool:
        """Whether it can be taken apart as one DICOM file."""
        return self.name.endswith(".dcm")


def picture(index: int, bits: int = 12) -> Pixels:
    """A smooth image with some noise, another for each index."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    noise = np.random.default_rng(index).integers(0, 16, (ROWS, COLUMNS))
    top = (1 << bits) - 1
    smooth = (np.sin(rows / 5 + index) + np.cos(columns / 7)) * top / 5 + top / 2
    return np.clip(smooth + noise, 0, top).astype(np.uint16)


def _patient(dataset: Dataset) -> None:
    dataset.PatientName, dataset.PatientID = PATIENT_NAME, PATIENT_ID
    dataset.PatientBirthDate, dataset.PatientSex = "19010203", "O"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{_UID}.1", f"{_UID}.2"
    dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = "20260101", "101112", "ACC1"
    dataset.StudyDescription, dataset.SeriesDescription = "Chest", "Lung 1.0"
    dataset.ReferringPhysicianName, dataset.Manufacturer = "Refer^Ring", "ctviewer"
    dataset.Modality, dataset.SeriesNumber, dataset.BodyPartExamined = "CT", 3, "CHEST"
    dataset.KVP, dataset.ConvolutionKernel = "120", "LUNG"
    dataset.SpecificCharacterSet = "ISO_IR 100"


def _image(dataset: Dataset, bits: int, allocated: int) -> None:
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = ROWS, COLUMNS, 1
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, bits, bits - 1


def _classic(index: int, bits: int = 12) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"{_UID}.3.{index}"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    _patient(dataset)
    dataset.InstanceNumber, dataset.AcquisitionNumber = index + 1, 1
    dataset.ImagePositionPatient = [-10.0, -20.0, 2.5 * index]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [0.7, 0.7], "2.5"
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "-1024", "1", "HU"
    dataset.WindowCenter, dataset.WindowWidth = ["-600", "40"], ["1500", "400"]
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-D3000", "SRT", "Chest"
    dataset.AnatomicRegionSequence = Sequence([code])
    _image(dataset, bits, 8 if bits == 8 else 16)
    return dataset


def _enhanced() -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = EnhancedCTImageStorage, f"{_UID}.4"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    _patient(dataset)
    dataset.InstanceNumber, dataset.NumberOfFrames = 1, FRAMES
    shared, orientation, measures, values = Dataset(), Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [0.7, 0.7], "2.5"
    values.RescaleIntercept, values.RescaleSlope, values.RescaleType = "-1024", "1", "HU"
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([orientation]), Sequence([measures])
    shared.PixelValueTransformationSequence = Sequence([values])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence([_frame(index) for index in range(FRAMES)])
    _image(dataset, 12, 16)
    return dataset


def _frame(index: int) -> Dataset:
    group, place, content = Dataset(), Dataset(), Dataset()
    place.ImagePositionPatient = [-10.0, -20.0, 2.5 * index]
    content.StackID, content.InStackPositionNumber, content.FrameAcquisitionNumber = "1", index + 1, 1
    content.DimensionIndexValues = [1, index + 1]
    group.PlanePositionSequence, group.FrameContentSequence = Sequence([place]), Sequence([content])
    return group


def _saved(dataset: Dataset, syntax: str, *, meta: bool = True) -> bytes:
    target = io.BytesIO()
    if not meta:
        dataset.save_as(target, implicit_vr=syntax == _BASE, little_endian=True)
        return target.getvalue()
    information = FileMetaDataset()
    information.MediaStorageSOPClassUID = dataset.SOPClassUID
    information.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    information.TransferSyntaxUID = UID(f"{_JPEG}.90" if syntax == f"{_JPEG}.110" else syntax)
    information.ImplementationClassUID = f"{_UID}.9"
    dataset.file_meta = information
    dcmwrite(target, dataset, enforce_file_format=True)
    if syntax != f"{_JPEG}.110":  # pydicom 3.0 does not know JPEG XL
        return target.getvalue()
    file = parse(target.getvalue())
    stated = Element(TRANSFER_SYNTAX, b"UI", syntax.encode() + b"\0" * (len(syntax) % 2))
    return build(replace(file, meta=tuple(stated if one.tag == TRANSFER_SYNTAX else one for one in file.meta)))


Encoder = Callable[[Pixels], bytes]


def _rle(image: Pixels) -> bytes:
    from pydicom.pixels.encoders.base import EncodeRunner
    from pydicom.pixels.encoders.native import _encode_frame

    runner = EncodeRunner(UID(f"{_BASE}.5"))
    runner.set_options(
        rows=ROWS, columns=COLUMNS, samples_per_pixel=1, number_of_frames=1, bits_allocated=16, bits_stored=12,
        pixel_representation=0, photometric_interpretation="MONOCHROME2",
    )  # fmt: skip
    return bytes(_encode_frame(image.astype("<u2").tobytes(), runner))


def _jpeg_lossless(image: Pixels) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(image, bitspersample=12, lossless=True, predictor=1))


ENCODERS: dict[str, tuple[str, int, bool, Encoder]] = {  # name: syntax, bits, lossless, encoder
    "rle": (f"{_BASE}.5", 12, True, _rle),
    "jpeg_baseline_50": (f"{_JPEG}.50", 8, False, lambda x: bytes(imagecodecs.jpeg8_encode(x.astype(np.uint8), 90))),
    "jpeg_extended_51": (f"{_JPEG}.51", 12, False, lambda x: bytes(imagecodecs.jpeg8_encode(x, 95, bitspersample=12))),
    "jpeg_lossless_57": (f"{_JPEG}.57", 12, True, _jpeg_lossless),
    "jpeg_lossless_70": (f"{_JPEG}.70", 12, True, _jpeg_lossless),
    "jpeg_ls_80": (f"{_JPEG}.80", 12, True, lambda x: bytes(imagecodecs.jpegls_encode(x))),
    "jpeg_ls_81": (f"{_JPEG}.81", 12, False, lambda x: bytes(imagecodecs.jpegls_encode(x, 2))),
    "jpeg_2000_90": (f"{_JPEG}.90", 12, True, lambda x: _jpeg_2000(x, True)),
    "jpeg_2000_91": (f"{_JPEG}.91", 12, False, lambda x: _jpeg_2000(x, False)),
    "htj2k_201": (f"{_JPEG}.201", 12, True, lambda x: bytes(imagecodecs.htj2k_encode(x, reversible=True))),
    "htj2k_202": (f"{_JPEG}.202", 12, True, lambda x: bytes(imagecodecs.htj2k_encode(x, reversible=True))),
    "htj2k_203": (f"{_JPEG}.203", 12, False, lambda x: bytes(imagecodecs.htj2k_encode(x, 0.01, reversible=False))),
    "jpeg_xl_110": (f"{_JPEG}.110", 12, True, lambda x: bytes(imagecodecs.jpegxl_encode(x, lossless=True))),
}


def _jpeg_2000(image: Pixels, lossless: bool) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            image, level=0 if lossless else 60, codecformat="j2k", bitspersample=12, reversible=lossless, resolutions=3
        )
    )


def _native(family: str, syntax: str, *, meta: bool = True) -> Seed:
    def one(index: int) -> bytes:
        dataset = _classic(index)
        dataset.PixelData = picture(index).astype(">u2" if syntax == f"{_BASE}.2" else "<u2").tobytes()
        dataset["PixelData"].VR = "OW"
        return _saved(dataset, syntax, meta=meta)

    return Seed(family, "IM1.dcm", one(1), picture(1)[None], (one(0), one(2)))


def _compressed(family: str, *, offsets: bool = True) -> Seed:
    syntax, bits, lossless, encoder = ENCODERS[family]

    def one(index: int) -> bytes:
        dataset = _classic(index, bits)
        dataset.PixelData = encapsulate([encoder(picture(index, bits))], has_bot=offsets)
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        return _saved(dataset, syntax)

    return Seed(family, "IM1.dcm", one(1), picture(1, bits)[None] if lossless else None, (one(0), one(2)))


def _multi_frame(family: str, codec: str = "", offsets: str = "basic") -> Seed:
    dataset, frames = _enhanced(), [picture(index) for index in range(FRAMES)]
    if not codec:
        dataset.PixelData = np.stack(frames).astype("<u2").tobytes()
        dataset["PixelData"].VR = "OW"
        return Seed(family, "MF.dcm", _saved(dataset, f"{_BASE}.1"), np.stack(frames))
    syntax, _, _, encoder = ENCODERS[codec]
    encoded = [encoder(frame) for frame in frames]
    if offsets == "extended":
        dataset.PixelData, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = encapsulate_extended(
            encoded
        )
    else:
        dataset.PixelData = encapsulate(encoded, has_bot=offsets == "basic")
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return Seed(family, "MF.dcm", _saved(dataset, syntax), np.stack(frames))


def _zip() -> Seed:
    made = _native("zip", f"{_BASE}.1")
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for index, data in enumerate((made.neighbours[0], made.data, made.neighbours[1])):
            method = zipfile.ZIP_STORED if index == 1 else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(f"DICOM/IM{index}.dcm"), data, method)
    return Seed("zip", "study.zip", target.getvalue(), np.stack([picture(index) for index in range(FRAMES)]))


def _directory() -> Seed:
    """A DICOMDIR (PS3.3 F) that lists two slices, called as the neighbours are."""
    made = _native("explicit", f"{_BASE}.1")
    patient, study, series = Dataset(), Dataset(), Dataset()
    patient.DirectoryRecordType, patient.PatientName, patient.PatientID = "PATIENT", PATIENT_NAME, PATIENT_ID
    study.DirectoryRecordType, study.StudyInstanceUID, study.StudyDate = "STUDY", f"{_UID}.1", "20260101"
    series.DirectoryRecordType, series.SeriesInstanceUID, series.Modality = "SERIES", f"{_UID}.2", "CT"
    records = [patient, study, series]
    for number in range(2):
        record = Dataset()
        record.DirectoryRecordType, record.ReferencedFileID, record.InstanceNumber = "IMAGE", f"N{number}", number + 1
        records.append(record)
    for record in records:
        record.OffsetOfTheNextDirectoryRecord, record.RecordInUseFlag = 0, 0xFFFF
    directory = Dataset()
    directory.SOPClassUID, directory.SOPInstanceUID = MediaStorageDirectoryStorage, f"{_UID}.8"
    directory.FileSetID, directory.FileSetConsistencyFlag = "FUZZ", 0
    directory.DirectoryRecordSequence = Sequence(records)
    return Seed("directory", "DICOMDIR", _saved(directory, f"{_BASE}.1"), None, made.neighbours)


def nifti_volume() -> NDArray[np.int16]:
    """`[slices, rows, columns]` Hounsfield units."""
    return np.stack([picture(index).astype(np.int16) - 1024 for index in range(FRAMES)])


def _nifti(family: str, name: str) -> Seed:
    import nibabel

    values = np.ascontiguousarray(nifti_volume().transpose(2, 1, 0))  # x, y, z
    image = nibabel.Nifti1Image(values, np.diag([-0.7, -0.7, 2.5, 1.0]))
    image.header.set_xyzt_units("mm")
    data = image.to_bytes()
    if name.endswith(".gz"):
        packer = zlib.compressobj(wbits=31)
        data = packer.compress(data) + packer.flush()
    return Seed(family, name, data, None)


def _meta_image() -> Seed:
    header = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n"
        "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = -10 -20 0\nCenterOfRotation = 0 0 0\nAnatomicalOrientation = RAI\n"
        f"ElementSpacing = 0.7 0.7 2.5\nDimSize = {COLUMNS} {ROWS} {FRAMES}\nElementType = MET_SHORT\n"
        "ElementDataFile = LOCAL\n"
    )
    return Seed("meta_image", "V.mha", header.encode() + nifti_volume().astype("<i2").tobytes(), None)


def _pictures(family: str, name: str) -> Seed:
    def one(index: int) -> bytes:
        target = io.BytesIO()
        Image.fromarray(picture(index)).save(target, "TIFF" if name.endswith("tif") else "PNG")
        return target.getvalue()

    return Seed(family, name, one(1), None, (one(0), one(2)))


def _without_preamble() -> Seed:
    made = _native("no_preamble", _BASE)

    def bare(data: bytes) -> bytes:
        return data[132:]

    return replace(made, data=bare(made.data), neighbours=tuple(map(bare, made.neighbours)))


_MAKERS: dict[str, Callable[[], Seed]] = {
    "implicit": lambda: _native("implicit", _BASE),
    "explicit": lambda: _native("explicit", f"{_BASE}.1"),
    "big_endian": lambda: _native("big_endian", f"{_BASE}.2"),
    "deflated": lambda: _native("deflated", f"{_BASE}.1.99"),
    "no_preamble": _without_preamble,
    "no_meta_implicit": lambda: _native("no_meta_implicit", _BASE, meta=False),
    "no_meta_explicit": lambda: _native("no_meta_explicit", f"{_BASE}.1", meta=False),
    **{name: functools.partial(_compressed, name, offsets=name != "jpeg_ls_80") for name in ENCODERS},
    "frames_native": lambda: _multi_frame("frames_native"),
    "frames_jpeg_ls": lambda: _multi_frame("frames_jpeg_ls", "jpeg_ls_80"),
    "frames_rle_no_table": lambda: _multi_frame("frames_rle_no_table", "rle", "none"),
    "frames_j2k_extended": lambda: _multi_frame("frames_j2k_extended", "jpeg_2000_90", "extended"),
    "zip": _zip,
    "directory": _directory,
    "nifti": lambda: _nifti("nifti", "V.nii"),
    "nifti_gz": lambda: _nifti("nifti_gz", "V.nii.gz"),
    "meta_image": _meta_image,
    "png": lambda: _pictures("png", "IM1.png"),
    "tiff": lambda: _pictures("tiff", "IM1.tif"),
}
FAMILIES = tuple(_MAKERS)


@functools.cache
def seed(family: str) -> Seed:
    """The seed of a family, made once per process."""
    return _MAKERS[family]()
