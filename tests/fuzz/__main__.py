"""`make fuzz`: thousands of damaged files, opened in child processes; a table, and the failures kept for another try.

`make fuzz ARGS="--cases 5000 --seed 1 --only jpeg_ls"`, `make fuzz ARGS="--replay build/fuzz/jpeg_ls_80-17-1.json"`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter, defaultdict
from itertools import chain
from pathlib import Path

from fuzz.cases import Case, cases
from fuzz.runner import run
from fuzz.seeds import FAMILIES
from fuzz.trial import GOOD, Verdict

_KEPT = Path("build/fuzz")


def main() -> int:
    """Run; 0 without failures."""
    parser = argparse.ArgumentParser(prog="make fuzz", description="Open damaged files of every kind.")
    parser.add_argument("--cases", type=int, default=500, help="of each family (default 500)")
    parser.add_argument("--seed", type=int, default=1, help="another number gives other cases (default 1)")
    parser.add_argument("--only", nargs="+", default=[""], metavar="NAME", help="families whose names begin so")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) - 1), help="processes")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="try kept cases again")
    options = parser.parse_args()
    if options.replay:
        kept = [Case.from_json(json.loads(path.read_text())["case"]) for path in options.replay]
        return _report(run(kept, 1), options.seed)
    chosen = [family for family in FAMILIES if family.startswith(tuple(options.only))]
    if not chosen:
        parser.error(f"no family begins so; there are {', '.join(FAMILIES)}")
    every = chain.from_iterable(cases(family, options.cases, options.seed) for family in chosen)
    return _report(run(every, options.jobs), options.seed)


def _report(results, seed: int) -> int:
    started, counts, failures = time.monotonic(), defaultdict(Counter), []
    for case, verdict in results:
        counts[case.family][verdict.name] += 1
        if verdict.name not in GOOD:
            failures.append(verdict.name)
            _keep(case, verdict, seed)
    seconds = time.monotonic() - started
    print(table(counts))
    total = sum(sum(one.values()) for one in counts.values())
    print(f"{total} cases in {seconds:.0f} s, {len(failures)} failures.")
    return 1 if failures else 0


def table(counts: dict[str, Counter[str]]) -> str:
    """Verdicts by family."""
    bad = sorted({name for one in counts.values() for name in one} - set(GOOD))
    names = ["cases", *GOOD, *bad]
    lines = [f"{'family':22s}" + "".join(f"{name:>16s}" for name in names)]
    everything: Counter[str] = Counter()
    for family, one in [*counts.items(), ("all", everything)]:
        everything += one if family != "all" else Counter()
        lines.append(f"{family:22s}{sum(one.values()):16d}" + "".join(f"{one[name]:16d}" for name in names[1:]))
    return "\n".join(lines)


def _keep(case: Case, verdict: Verdict, seed: int) -> None:
    _KEPT.mkdir(parents=True, exist_ok=True)
    path = _KEPT / f"{case.family}-{case.number}-{seed}.json"
    path.write_text(json.dumps({"verdict": vars(verdict), "case": case.as_json()}))
    print(f"{verdict.name}: {path} ({', '.join(case.mutations)}): {verdict.detail}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
