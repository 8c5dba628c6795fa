"""See architecture: dicom."""
