"""pydicom's warnings and log records quote values of the file, patient data among them: neither is let out.

What they warn of is judged from the values themselves and told as notices.
"""

from __future__ import annotations

import logging
import warnings


def silence_pydicom() -> None:
    """Once for the process: switching warnings off and on again is not safe with threads."""
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
