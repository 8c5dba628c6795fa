"""`make bench`: measures and prints a table. Absolute times drift between machines; ratios ("x") hold within one run.

A bench is a module beside this one with `run(work: Path) -> Iterator[Row]`; `work` is an empty folder of its own. Each
runs in a process of its own, so that none warms up or burdens another. `make bench ARGS="loading --json out.json"`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import Row, as_json, table

BENCHES = (
    "loading", "scanning", "decoding", "painting", "window", "bundles", "suitability", "inference", "nets", "training", "one_shot",
)  # fmt: skip


def main() -> int:
    """Run all or the named benches; 0 if all ended."""
    parser = argparse.ArgumentParser(description="Measure speed and memory.")
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=f"of {', '.join(BENCHES)}; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as JSON too")
    parser.add_argument("--inner", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := set(arguments.benches) - set(BENCHES):
        parser.error(f"no bench is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    if arguments.inner:
        return _one(arguments.benches[0])
    rows: list[tuple[str, Row]] = []
    failed = []
    for name in arguments.benches or BENCHES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        output = subprocess.run(
            [sys.executable, __file__, name, "--inner"], check=False, stdout=subprocess.PIPE, text=True
        )
        if output.returncode:
            failed.append(name)
        else:
            rows += [(name, Row(**row)) for row in json.loads(output.stdout)]
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores\n{table(rows)}")
    if arguments.json:
        arguments.json.write_text(as_json(rows), encoding="utf-8")
    for name in failed:
        print(f"{name} failed; see above.", file=sys.stderr)
    return 1 if failed else 0


def _one(name: str) -> int:
    """One bench; its rows as JSON on standard output."""
    with tempfile.TemporaryDirectory(prefix="ctviewer-bench-") as folder:
        os.environ["CTVIEWER_HOME"] = str(Path(folder) / "home")
        work = Path(folder) / "work"
        work.mkdir()
        rows = [vars(row) for row in importlib.import_module(name).run(work)]
    print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
