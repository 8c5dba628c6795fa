"""Write generated studies of three classes, made hard, with labels.csv: `python packaging/make_hard_studies.py DIR`.

For developers: the comparison of the first paper's models, and tests of training. Phantoms, no patients.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from ctviewer.app.progress import ProgressLine, drain
from ctviewer.core.errors import CtviewerError
from ctviewer.datasets.hard_studies import SMALL, HardSettings, hard_cases, write_hard_studies


def main() -> int:
    """Command line; exit code 0, or that of the error, with one sentence."""
    usual = HardSettings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a new or empty folder")
    parser.add_argument("--seed", type=int, default=usual.seed, help="another seed, other patients")
    parser.add_argument("--matrix", type=int, help=f"rows and columns (default {usual.matrix})")
    parser.add_argument("--small", action="store_true", help="a few tiny studies, for tests")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    arguments = parser.parse_args()
    base = SMALL if arguments.small else usual
    try:
        settings = replace(base, seed=arguments.seed, matrix=arguments.matrix or base.matrix)
        drain(write_hard_studies(arguments.folder, settings), ProgressLine(quiet=arguments.quiet))
        cases = hard_cases(settings)
    except CtviewerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    parts = Counter(case.split for case in cases)
    print(
        f"{len(cases)} phantom studies in {arguments.folder}: {', '.join(f'{n} {part}' for part, n in parts.items())}."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
