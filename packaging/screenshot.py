"""Makes the README's picture of the window: the sample study with the shipped models' findings, off-screen.

Run it after the models or the window have changed: `.venv/bin/python packaging/screenshot.py`.
The study is generated, so no patient is in the picture.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtGui import QImage
    from PySide6.QtWidgets import QApplication

    from ctviewer.core.findings import Lesion
    from ctviewer.ui.main_window import MainWindow

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "resources" / "screenshots" / "main-window.png"
SIZE = (1280, 800)
MOST_BYTES = 400_000
_PATIENCE_S = 600.0
_GREYS = 256


def main() -> int:
    """Open, analyse, judge, take the picture; returns the exit code."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    with tempfile.TemporaryDirectory() as home:
        os.environ["CTVIEWER_HOME"] = home  # no settings or earlier work of whoever runs this
        picture = _picture(Path(home))
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    _save(picture, TARGET)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size} bytes")
    return 0 if TARGET.stat().st_size < MOST_BYTES else 1


def _picture(home: Path) -> QImage:
    from ctviewer.app.gui import make_application, make_window
    from ctviewer.app.progress import ProgressLine, drain
    from ctviewer.datasets.sample import sample_study

    folder: Path = drain(sample_study(home / "sample"), ProgressLine(quiet=True))
    app = make_application()
    window = make_window(app)
    window.resize(*SIZE)
    window.show()
    window.open_path(folder)
    _until(app, lambda: window.reading.reading is not None)
    window.actions_["analyse"].trigger()
    _until(app, lambda: window.analysing.state.result is not None)
    _judge(window)
    settled = time.monotonic() + 0.5
    _until(app, lambda: time.monotonic() > settled)
    picture = window.grab().toImage()
    window.close()
    return picture


def _judge(window: MainWindow) -> None:
    """Lung window, the largest finding selected, a finding beside it accepted."""
    from ctviewer.core.findings import Verdict

    window.actions_["preset_1"].trigger()
    shown, other = _two_findings(window)
    window.reading.set_verdict(other.lesion_id, Verdict.ACCEPTED)
    window.findings.go_to_lesion(shown.lesion_id)


def _two_findings(window: MainWindow) -> tuple[Lesion, Lesion]:
    """The largest finding, and another that is seen on the same slice where there is one."""
    if len(window.findings.lesions) < 2:
        raise SystemExit("The models found too little on the sample study for a picture.")
    shown = max(window.findings.lesions, key=lambda found: found.volume_ml or 0.0)
    others = [found for found in window.findings.lesions if found is not shown]
    beside = [o for o in others if any(i.slice_index == shown.largest_slice for i in o.instances)]
    return shown, (beside or others)[0]


def _until(app: QApplication, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit("The window did not get ready in time.")
        app.processEvents()
        time.sleep(0.01)


def _save(picture: QImage, target: Path) -> None:
    """Write a PNG of few colours: a screenshot of greys and flat panels loses nothing that is seen."""
    import numpy as np
    from PIL import Image
    from PySide6.QtGui import QImage as Q

    rgb = picture.convertToFormat(Q.Format.Format_RGB888)
    rows = np.frombuffer(rgb.constBits(), np.uint8).reshape(rgb.height(), rgb.bytesPerLine())
    image = Image.fromarray(rows[:, : 3 * rgb.width()].reshape(rgb.height(), rgb.width(), 3))
    image.quantize(_GREYS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
