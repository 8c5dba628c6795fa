"""The installed model bundles: where they are looked for, and `ctviewer models`."""

from __future__ import annotations

import json
from typing import Any

from ctviewer.app.folders import data_folder
from ctviewer.core.errors import BundleError
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.core.paths import resources
from ctviewer.models.bundle import Bundle
from ctviewer.models.registry import Registry


def installed() -> Registry:
    """Bundles of the department (data folder) before those that come with the program."""
    own = data_folder() / "bundles"
    return Registry((own, resources() / "bundles"), own / "active.json")


def listing(registry: Registry) -> tuple[tuple[Bundle, ...], frozenset[str], tuple[str, ...]]:
    """All that there is to show, also where a choice cannot be used.

    Returns:
        The bundles, the keys of those in use, and one sentence for each thing that cannot be used.
    """
    bundles, problems = registry.scan()
    active, told = set(), list(problems)
    for task in dict.fromkeys(bundle.metadata.task for bundle in bundles):
        try:
            used = registry.active(task)
        except BundleError as error:
            told.append(str(error))
        else:
            active.update([used.key] if used else [])
    return bundles, frozenset(active), tuple(told)


def run_models(as_json: bool) -> int:
    """Print the installed bundles, one a line or as JSON; those that cannot be used with the reason."""
    bundles, active, problems = listing(installed())
    rows: list[dict[str, Any]] = []
    for bundle in bundles:
        m = bundle.metadata
        rows.append(
            {
                "name": m.name,
                "version": m.version,
                "task": m.task,
                "title": m.title,
                "classes": list(m.classes),
                "trained_on": m.trained_on,
                "limits": m.limits,
                "licence": m.licence,
                "sha256": m.weights_sha256,
                "active": bundle.key in active,
                "folder": str(bundle.folder),
            }
        )
    if as_json:
        print(json.dumps({"models": rows, "problems": list(problems), "notice": RESEARCH_USE}, indent=2))
        return 0
    for row in rows:
        mark = "*" if row["active"] else " "
        print(f"{mark} {row['name']} {row['version']}  {row['task']}  {row['trained_on']}  licence {row['licence']}")
        print(f"    {row['title']}: {', '.join(row['classes'])}")
        print(f"    {row['limits']}")
    for problem in problems:
        print(f"! {problem}")
    print(f"* is used for its task. {RESEARCH_USE}" if rows else "No model is installed.")
    return 0
