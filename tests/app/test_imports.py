"""What the command line must not import: start-up stays quick, and servers need neither widgets nor a display."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from ctviewer.core.geometry import Geometry
from ctviewer.dicom import write_ct_series

WIDGETS = ("ctviewer.ui", "pyqtgraph", "PySide6.QtWidgets")


def imported_by(code: str, *arguments: str) -> set[str]:
    """All modules that a fresh process holds after `code`."""
    program = f"import sys, json\n{code}\nprint('modules:' + json.dumps(sorted(sys.modules)), file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    line = next((line for line in result.stderr.splitlines() if line.startswith("modules:")), None)
    assert line is not None, result.stderr
    return set(json.loads(line.removeprefix("modules:")))


def below(modules: set[str], *names: str) -> set[str]:
    """Those that are one of `names` or lie below it."""
    return {m for m in modules if any(m == name or m.startswith(name + ".") for name in names)}


def test_the_command_line_itself_imports_nothing_heavy():
    modules = imported_by("import ctviewer.app.cli")
    assert below(modules, *WIDGETS, "PySide6", "torch", "torchvision", "scipy", "pydicom") == set()


def test_analyze_imports_no_widgets():
    modules = imported_by("import ctviewer.app.analyze")
    assert below(modules, *WIDGETS) == set()


def test_info_imports_neither_widgets_nor_models():
    assert below(imported_by("import ctviewer.app.info"), *WIDGETS, "PySide6", "torch", "scipy") == set()


def test_running_analyze_imports_no_widgets(tmp_path):
    """Through scan, load and suitability check to its end."""
    origins = np.stack([np.zeros(3), np.zeros(3), np.arange(3.0)], 1)
    geometry = Geometry((3, 64, 64), origins, pixel_spacing=(1.0, 1.0))
    write_ct_series(tmp_path / "study", np.zeros((3, 64, 64), np.int16), geometry=geometry)
    code = "from ctviewer.app.cli import main\nprint(main(['analyze', sys.argv[1], '--out', sys.argv[2], '--quiet']))"
    modules = imported_by(code, str(tmp_path / "study"), str(tmp_path / "out"))
    assert below(modules, *WIDGETS) == set()
    assert "ctviewer.dicom.loading" in modules


@pytest.mark.parametrize("package", ["ctviewer.dicom", "ctviewer.core.lesions", "ctviewer.library", "ctviewer.report"])
def test_no_torch_on_the_way_to_the_first_image(package):
    assert below(imported_by(f"import {package}"), "torch", "torchvision") == set()


def test_the_window_imports_no_torch():
    modules = imported_by("import ctviewer.ui.main_window")
    assert below(modules, "torch", "torchvision") == set()


def test_what_the_window_shows_of_training_needs_no_torch():
    """The report of pre-flight comes from the training process as JSON; the window alone stays light."""
    modules = imported_by(
        "import ctviewer.training.preflight.report, ctviewer.training.config, ctviewer.training.events"
    )
    assert below(modules, "torch", "torchvision", "scipy") == set()


def test_listing_runs_imports_no_torch():
    listing = imported_by("from ctviewer.app.cli import main\nmain(['train', '--list'])")
    assert below(listing, *WIDGETS, "PySide6", "torch", "scipy") == set()


@pytest.mark.parametrize("module", ["config_file", "config_example", "run_folder", "run_record", "run_lock", "control"])
def test_what_the_window_reads_of_training_needs_no_torch(module):
    assert below(imported_by(f"import ctviewer.training.{module}"), "torch", "scipy", "torchmetrics") == set()
