"""ctviewer: an interactive CT viewer for radiologists, with slice attention and lesion findings.

For research use, not a medical device.
"""

__version__ = "0.1.0"
