"""Other readers of the same folder, each as its documentation says that a series is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def bare_read(folder: Path) -> None:
    """The limit: all bytes, and nothing done with them."""
    for file in folder.iterdir():
        file.read_bytes()


def plain_pydicom(folder: Path) -> None:
    import pydicom

    np.stack([pydicom.dcmread(file).pixel_array for file in sorted(folder.iterdir())])


def simpleitk(folder: Path) -> np.ndarray:
    """What 3D Slicer builds on: GDCM sorts the files, ITK reads them."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    return sitk.GetArrayFromImage(reader.Execute())


def dicomsdl(folder: Path) -> None:
    import dicomsdl as sdl

    np.stack([sdl.open(str(file)).pixelData(storedvalue=True) for file in sorted(folder.iterdir())])
