"""Compressed streams read at any place."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import zipfile
from types import SimpleNamespace

import pytest

from ctviewer.dicom import storage, unpacking
from ctviewer.dicom.formats.inflate import Inflated


def _read(path, place: int, length: int) -> bytes:
    target = bytearray(length)
    Inflated(path).read_into(place, memoryview(target))
    return bytes(target)


@pytest.mark.parametrize("keep", [True, False])
def test_a_gzip_stream_is_read_at_any_place(tmp_path, keep):
    data = os.urandom(1_500_000)
    plain = tmp_path / "x.nii.gz"
    plain.write_bytes(gzip.compress(data[:1_000_000]) + gzip.compress(data[1_000_000:]))
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "x.nii.gz")
    for path in (plain, tmp_path / "x.zip" / "x.nii.gz"):
        with storage.keeping() if keep else contextlib.nullcontext():
            for place, length in ((0, 100), (1_200_000, 10), (5, len(data) - 5)):
                assert _read(path, place, length) == data[place : place + length]


@pytest.mark.parametrize("cut", [5, 5000, -4])
def test_a_cut_gzip_stream(tmp_path, cut):
    path = tmp_path / "x.nii.gz"
    path.write_bytes(gzip.compress(os.urandom(10_000))[:cut])
    with pytest.raises(OSError, match="packed data end too early"):
        Inflated(path, 0, 10_000).read_into(0, memoryview(bytearray(10_000)))


def test_what_is_no_gzip_stream(tmp_path):
    path = tmp_path / "x.nii.gz"
    path.write_bytes(b"<html>")
    with pytest.raises(OSError, match="damaged"):
        _read(path, 0, 1)


def test_what_cannot_be_kept_is_not_skipped(monkeypatch):
    """A full disk: later bytes in the place of those that were lost would be the pixels of another slice."""
    monkeypatch.setattr(unpacking, "_STEP", 1000)
    stream = unpacking.Unpacked(io.BytesIO(os.urandom(5000)), lambda: None)
    keep, full = stream._kept, [True]

    def write(data):
        if full:
            raise OSError(28, "No space left on device")
        return keep.write(data)

    stream._kept = SimpleNamespace(write=write, seek=keep.seek, readinto=keep.readinto, close=keep.close)
    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            stream.read_at(0, memoryview(bytearray(2500)))
        full.clear()
    stream.close()
