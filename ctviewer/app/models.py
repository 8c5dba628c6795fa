"""The installed model bundles: where they are looked for, and `ctviewer models`."""

from __future__ import annotations

import json
from typing import Any

from ctviewer.app.folders import data_folder
from ctviewer.core.findings import RESEARCH_USE
from ctviewer.core.paths import resources
from ctviewer.models.registry import Registry


def installed() -> Registry:
    """Bundles of the department (data folder) before those that come with the program."""
    own = data_folder() / "bundles"
    return Registry((own, resources() / "bundles"), own / "active.json")


def run_models(as_json: bool) -> int:
    """Print the installed bundles, one a line or as JSON; those that cannot be used with the reason."""
    registry = installed()
    bundles, problems = registry.scan()
    rows: list[dict[str, Any]] = []
    for bundle in bundles:
        active = registry.active(bundle.metadata.task)
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
                "active": active is not None and active.key == bundle.key,
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
