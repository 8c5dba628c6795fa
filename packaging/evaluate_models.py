"""Everything that says how good the models are and takes longer than the tests: `make evaluate-models`.

Every figure in the cards is made again: on patients that are scored here alone, on fold models, on generated studies, and out of
scope; then the comparisons of two papers on phantoms. `--only PART ...` does some of it, `--write` puts the figures into the
bundles. Each run adds lines to resources/evaluation/log.jsonl.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ctviewer.app.model_evaluation.run import Places, main

ROOT = Path(__file__).resolve().parents[1]


def commit() -> str:
    """The commit that is checked out, with "+" where tracked files of the program differ from it; "" outside of git."""
    git = shutil.which("git")
    if git is None:
        return ""

    def said(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([git, "-C", str(ROOT), *words], capture_output=True, text=True, check=False)

    head = said("rev-parse", "HEAD")
    changed = said("status", "--porcelain", "--untracked-files=no", "--", "ctviewer", "packaging")
    return "" if head.returncode else head.stdout.strip() + ("+" if changed.stdout.strip() else "")


if __name__ == "__main__":
    data = Path(os.environ.get("CTVIEWER_TEST_DATA") or ROOT.parent / "shared" / "data")
    log = ROOT / "resources" / "evaluation" / "log.jsonl"
    out = Path("out")
    places = Places(ROOT / "resources" / "bundles", data, out / "evaluate-models", log, out / "train-models", commit())
    sys.exit(main(None, places))
