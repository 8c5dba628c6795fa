"""Pixels of DICOM Segmentations: single bits packed over all frames, or bytes of a share, plain or compressed without loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from ctviewer.codecs import LOSSY, SUPPORTED, CodecError, PixelFormat, processes
from ctviewer.dicom.syntaxes import BIG_ENDIAN

_HALF = 0.5


@dataclass(frozen=True)
class SegmentPixels:
    """The frames of one segmentation.

    Attributes:
        rows, columns: of a frame.
        data: all frames as they lie in the file; empty for compressed ones.
        highest: the value of a whole share; 0 for binary segments.
        compressed: the frames of a compressed file.
        syntax: their transfer syntax.
    """

    rows: int
    columns: int
    data: bytes
    highest: int
    compressed: tuple[bytes, ...] = ()
    syntax: str = ""

    @classmethod
    def of(cls, dataset: Dataset) -> SegmentPixels:
        """Those of a data set.

        Raises:
            CodecError: they are of a form that a segmentation cannot have, or cut off.
        """
        binary = dataset.SegmentationType == "BINARY"
        bits = 1 if binary else 8
        rows, columns, frames = int(dataset.Rows), int(dataset.Columns), int(dataset.NumberOfFrames)
        if (int(dataset.BitsAllocated), int(dataset.get("SamplesPerPixel", 1))) != (bits, 1) or rows * columns <= 0:
            raise CodecError("are not of the form that its type asks for")
        highest = 0 if binary else int(dataset.MaximumFractionalValue)
        if not binary and not 0 < highest <= 255:
            raise CodecError("have no highest value")
        syntax = str(dataset.file_meta.TransferSyntaxUID)
        if syntax in SUPPORTED:
            return cls(rows, columns, b"", highest, _compressed(dataset, binary, syntax, frames), syntax)
        if syntax == BIG_ENDIAN:
            raise CodecError("are big endian, which no segmentation is")
        data = bytes(dataset.PixelData)
        if len(data) * 8 < rows * columns * bits * frames:
            raise CodecError("are cut off")
        return cls(rows, columns, data, highest)

    def frame(self, index: int) -> NDArray[np.bool_]:
        """Where one frame marks, `[rows, columns]`.

        Raises:
            CodecError: it is damaged.
        """
        count = self.rows * self.columns
        if not self.highest:  # bits run on from frame to frame, the first in the lowest bit (PS3.5 8.1.1)
            start = index * count
            part = np.frombuffer(self.data, np.uint8)[start // 8 : -(-(start + count) // 8)]
            marked = np.unpackbits(part, bitorder="little")[start % 8 : start % 8 + count].astype(bool)
        else:
            marked = self._shares(index, count) >= _HALF * self.highest
        return np.asarray(marked).reshape(self.rows, self.columns)

    def _shares(self, index: int, count: int) -> NDArray[np.uint8]:
        if not self.compressed:
            return np.frombuffer(self.data, np.uint8, count, index * count)
        described = PixelFormat(self.rows, self.columns, 8, 8, 7, signed=False)
        return np.asarray(processes.decode(self.syntax, self.compressed[index], described), np.uint8).ravel()


def _compressed(dataset: Dataset, binary: bool, syntax: str, frames: int) -> tuple[bytes, ...]:
    if binary or syntax in LOSSY:
        raise CodecError(f"are {'single bits that are compressed' if binary else 'compressed with loss'}")
    found = tuple(generate_frames(dataset.PixelData, number_of_frames=frames))
    if len(found) != frames:
        raise CodecError("are cut off")
    return found
