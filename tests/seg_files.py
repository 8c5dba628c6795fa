"""DICOM Segmentations for tests, written with pydicom in the forms that programs write them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as Items
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, generate_uid

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"


@dataclass
class SegFrame:
    """One frame: its pixels `[rows, columns]` (bool, or shares 0..highest), where they lie, and what they were drawn on."""

    pixels: np.ndarray
    origin: Sequence[float]
    row: Sequence[float]
    column: Sequence[float]
    spacing: Sequence[float]
    segment: int = 1
    sources: Sequence[str] = field(default_factory=tuple)


def frames_of(volume, marked, segment=1, slices=None, sources=True):
    """A frame for each slice with marks (or for `slices`), as the slice lies."""
    geometry = volume.geometry
    wanted = np.flatnonzero(marked.any(axis=(1, 2))) if slices is None else slices
    return [
        SegFrame(
            marked[index],
            geometry.origins[index],
            geometry.row_cosines,
            geometry.column_cosines,
            geometry.pixel_spacing,
            segment,
            (volume.series.slices[index].sop_instance_uid,) if sources else (),
        )
        for index in wanted
    ]


def _group(frame: SegFrame) -> Dataset:
    item, identification, position, orientation, measures = (Dataset() for _ in range(5))
    identification.ReferencedSegmentNumber = frame.segment
    item.SegmentIdentificationSequence = Items([identification])
    position.ImagePositionPatient = [f"{value:.10g}" for value in frame.origin]
    item.PlanePositionSequence = Items([position])
    orientation.ImageOrientationPatient = [f"{value:.10g}" for value in (*frame.row, *frame.column)]
    item.PlaneOrientationSequence = Items([orientation])
    measures.PixelSpacing = [f"{value:.10g}" for value in frame.spacing]
    item.PixelMeasuresSequence = Items([measures])
    if frame.sources:
        derivation, images = Dataset(), []
        for uid in frame.sources:
            image = Dataset()
            image.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
            image.ReferencedSOPInstanceUID = uid
            images.append(image)
        derivation.SourceImageSequence = Items(images)
        item.DerivationImageSequence = Items([derivation])
    return item


def seg_dataset(frames, labels, series_uid="", highest=0) -> Dataset:
    """The data set; binary, or fractional where a highest value is given."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = SEGMENTATION_STORAGE
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = "SEG"
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID = generate_uid(), generate_uid()
    dataset.PatientName, dataset.PatientID = "SEG^TEST", "T"
    dataset.SegmentationType = "FRACTIONAL" if highest else "BINARY"
    if highest:
        dataset.SegmentationFractionalType, dataset.MaximumFractionalValue = "PROBABILITY", highest
    segments = []
    for number, label in labels.items():
        segment = Dataset()
        segment.SegmentNumber, segment.SegmentLabel, segment.SegmentAlgorithmType = number, label, "MANUAL"
        segments.append(segment)
    dataset.SegmentSequence = Items(segments)
    if series_uid:
        series = Dataset()
        series.SeriesInstanceUID = series_uid
        dataset.ReferencedSeriesSequence = Items([series])
    dataset.SharedFunctionalGroupsSequence = Items([Dataset()])
    dataset.PerFrameFunctionalGroupsSequence = Items([_group(frame) for frame in frames])
    dataset.NumberOfFrames = len(frames)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.Rows, dataset.Columns = frames[0].pixels.shape
    bits = 8 if highest else 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    pixels = np.stack([frame.pixels for frame in frames])
    data = (
        pixels.astype(np.uint8).tobytes() if highest else np.packbits(pixels.ravel() > 0, bitorder="little").tobytes()
    )
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB"
    return dataset


def write_seg(path: Path, frames, labels, series_uid="", highest=0, deflated=False, encode=None) -> Path:
    """Write a file. `encode`: transfer syntax and encoder of one frame of bytes."""
    dataset = seg_dataset(frames, labels, series_uid, highest)
    if deflated:
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    if encode is not None:
        dataset.file_meta.TransferSyntaxUID, encoder = encode
        dataset.PixelData = encapsulate([encoder(frame.pixels.astype(np.uint8)) for frame in frames])
        dataset["PixelData"].is_undefined_length = True
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path
