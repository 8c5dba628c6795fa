"""Reading folders and files of DICOM and of other formats into core objects, and writing CT series."""

from ctviewer.dicom.events import SeriesFound, SlicesFailed, SlicesLoaded, VolumeReady, VolumeTold
from ctviewer.dicom.interpret import interpret
from ctviewer.dicom.loading import load, load_volume
from ctviewer.dicom.memory import free_memory
from ctviewer.dicom.preference import analysis_candidate, by_preference
from ctviewer.dicom.quiet import silence_pydicom
from ctviewer.dicom.scanning import scan
from ctviewer.dicom.summary import concern, concerns, measure, summarise
from ctviewer.dicom.thumbnails import thumbnail
from ctviewer.dicom.write import SeriesAttributes, write_ct_series

__all__ = [
    "SeriesAttributes",
    "SeriesFound",
    "SlicesFailed",
    "SlicesLoaded",
    "VolumeReady",
    "VolumeTold",
    "analysis_candidate",
    "by_preference",
    "concern",
    "concerns",
    "free_memory",
    "interpret",
    "load",
    "load_volume",
    "measure",
    "scan",
    "summarise",
    "thumbnail",
    "write_ct_series",
]

silence_pydicom()
