"""Reading folders and files of DICOM into core objects, and writing CT series."""

from ctviewer.dicom.write import SeriesAttributes, write_ct_series

__all__ = ["SeriesAttributes", "write_ct_series"]
