"""Whether a class can be told from how a study was made: what a net would then learn instead of the disease."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from ctviewer.models.metrics import auc_roc, bootstrap
from ctviewer.training.preflight.facts import StudyFacts
from ctviewer.training.preflight.known import Known
from ctviewer.training.preflight.report import ALL_FACTS, CrossTable, Shortcut
from ctviewer.training.splits import EXTERNAL, TRAIN_ONLY, repeated_folds

_LEAST_PATIENTS = 4  # of a class, and of the rest: fewer cannot be told apart from chance
_FOLDS, _BINS, _DRAWS = 5, 4, 300
_MOST_ROWS, _FEW_VALUES = 12, 6
_PENALTY = 1.0

Column = tuple[str | float | None, ...]
K = TypeVar("K", bound=Known)


def _ordinal(one: StudyFacts) -> float | None:
    try:
        return float(date.fromisoformat(one.case.date).toordinal())
    except ValueError:
        return None


def _contrast(one: StudyFacts) -> str:
    return "not stated" if not one.contrast else "given"


_READ: dict[str, Callable[[StudyFacts], str | float | None]] = {
    "manufacturer": lambda one: one.manufacturer.strip().casefold() or "not stated",
    "kernel": lambda one: one.kernel.strip().casefold() or "not stated",
    "thickness": lambda one: one.thickness,
    "field of view": lambda one: one.field_of_view,
    "contrast": _contrast,
    "slice count": lambda one: float(one.slices),
    "date": _ordinal,
}
FACTS = tuple(_READ)


def cross_tables(facts: Sequence[StudyFacts]) -> tuple[CrossTable, ...]:
    """Class against each fact, of the studies that could be read."""
    return tables_of(facts, _READ)


def tables_of(facts: Sequence[K], read: Mapping[str, Callable[[K], str | float | None]]) -> tuple[CrossTable, ...]:
    """The same of anything that has classes, by facts of one's own."""
    facts = [one for one in facts if not one.error]
    classes = tuple(sorted({name for one in facts for name in one.case.classes}))
    made = []
    for fact, value_of in read.items():
        values = [one.case.date for one in facts] if fact == "date" else [value_of(one) for one in facts]
        names = _periods(values) if fact == "date" else _row_names(values)
        counts = Counter((name, c) for name, one in zip(names, facts, strict=True) for c in one.case.classes)
        rows = tuple(dict.fromkeys(name for _, name in sorted(zip(map(_rank, values), names, strict=True))))
        made.append(CrossTable(fact, rows, classes, tuple(tuple(counts[row, c] for c in classes) for row in rows)))
    return tuple(made)


def _rank(value: str | float | None) -> tuple[bool, float, str]:
    """Sorting key of values of one kind, what is not known last."""
    if isinstance(value, str):
        return not value, 0.0, value
    return value is None, value or 0.0, ""


def _periods(dates: Sequence[Any]) -> list[str]:
    """Years, or months where all is of one year."""
    length = 4 if len({day[:4] for day in dates if day}) > 1 else 7
    return [day[:length] or "not known" for day in dates]


def _row_names(values: Sequence[str | float | None]) -> list[str]:
    numbers = np.array([value for value in values if isinstance(value, float)])
    if not numbers.size:
        sizes = Counter(values)
        shown = set(sizes) if len(sizes) <= _MOST_ROWS else {value for value, _ in sizes.most_common(_MOST_ROWS - 1)}
        return ["not known" if v is None else str(v) if v in shown else "other" for v in values]
    if len(set(numbers.tolist())) <= _FEW_VALUES:
        return [f"{value:g}" if isinstance(value, float) else "not known" for value in values]
    edges = np.quantile(numbers, np.linspace(0, 1, _BINS + 1))
    return [_range_name(value, edges) if isinstance(value, float) else "not known" for value in values]


def _range_name(value: float, edges: NDArray[np.float64]) -> str:
    place = min(int(np.searchsorted(edges[1:-1], value, side="left")), len(edges) - 2)
    return f"{edges[place]:.4g} to {edges[place + 1]:.4g}"


def find_shortcuts(facts: Sequence[StudyFacts], seed: int = 0) -> Iterator[Shortcut]:
    """Fit a small regularised logistic regression to facts, each alone and all together, and test it out of fold.

    Folds are grouped by patient. External sets are left out: nothing is learned from them. Of two exclusive classes one
    is enough. Classes of fewer than four patients, or with fewer than four patients without them, are left out.

    Args:
        facts: of all studies.
        seed: of folds and bootstrap.

    Yields:
        Each as soon as it is known, class by class.
    """
    return shortcuts_of(facts, _READ, seed)


def shortcuts_of(
    facts: Sequence[K], read: Mapping[str, Callable[[K], str | float | None]], seed: int = 0
) -> Iterator[Shortcut]:
    """`find_shortcuts` of anything that has classes, by facts of one's own."""
    facts = [one for one in facts if not one.error and not one.case.split.startswith(EXTERNAL)]
    patients: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(facts):
        patients[one.case.patient].append(index)
    columns = {fact: tuple(value_of(one) for one in facts) for fact, value_of in read.items()}
    columns = {fact: column for fact, column in columns.items() if len(set(column)) > 1}
    if not columns:  # all were made alike
        return
    sets = {fact: [column] for fact, column in columns.items()} | {ALL_FACTS: list(columns.values())}
    groups = [np.array(found) for found in patients.values()]
    for label in _targets(facts):
        positive = np.array([label in one.case.classes for one in facts])
        sides = [sum(bool((positive[g] == side).any()) for g in groups) for side in (True, False)]
        if min(sides) < _LEAST_PATIENTS:
            continue
        folds = _folds(facts, seed)
        for fact, members in sets.items():
            scores = _out_of_fold(members, positive, folds)
            auc, low, high = _judged(scores, positive, groups, seed)
            yield Shortcut(fact, label, auc, low, high, len(groups))


def _targets(facts: Sequence[Known]) -> tuple[str, ...]:
    classes = sorted({name for one in facts for name in one.case.classes})
    exclusive = all(len(one.case.classes) == 1 for one in facts)
    return tuple(classes[1:] if exclusive and len(classes) == 2 else classes)


def _folds(facts: Sequence[Known], seed: int) -> list[NDArray[np.intp]]:
    """Indices of the studies that each fold tests."""
    place = {one.study: index for index, one in enumerate(facts)}
    cases = [replace(one.case, split="") if one.case.split == TRAIN_ONLY else one.case for one in facts]
    patients = len({case.patient for case in cases})
    splits = repeated_folds(cases, min(_FOLDS, patients), 1, seed)
    return [np.array([place[study] for study in split.test], np.intp) for split in splits if split.test]


def _out_of_fold(
    columns: Sequence[Column], positive: NDArray[np.bool_], folds: Sequence[NDArray[np.intp]]
) -> NDArray[np.float64]:
    scores = np.zeros(len(positive))
    for tested in folds:
        fitted = np.setdiff1d(np.arange(len(positive)), tested)
        inputs = [_encoded(column, fitted) for column in columns]
        x = np.concatenate([np.ones((len(positive), 1)), *inputs], axis=1)
        scores[tested] = expit(x[tested] @ _logistic(x[fitted], positive[fitted]))
    return np.round(scores, 9)  # what is equal but for the order of sums is a tie


def _encoded(column: Column, fitted: NDArray[np.intp]) -> NDArray[np.float64]:
    """One-hot categories, or a number with its quartiles and whether it is known, `[n, k]`, by the fitted studies alone."""
    known = np.array([isinstance(value, float) for value in column])
    if not known.any():
        names = sorted({str(column[i]) for i in fitted})
        return np.array([[float(str(value) == name) for name in names] for value in column])
    numbers = np.array([value if isinstance(value, float) else np.nan for value in column])
    seen = numbers[fitted][known[fitted]]
    if not seen.size:
        return known[:, None].astype(np.float64)
    scaled = np.where(known, (numbers - seen.mean()) / (seen.std() or 1.0), 0.0)
    edges = np.unique(np.quantile(seen, np.linspace(0, 1, _BINS + 1)[1:-1]))
    place = np.where(known, np.searchsorted(edges, np.where(known, numbers, 0.0), side="left"), -1)
    bins = place[:, None] == np.arange(len(edges) + 1)
    return np.column_stack([np.clip(scaled, -3, 3), known, bins]).astype(np.float64)


def _logistic(x: NDArray[np.float64], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Coefficients `[k]` with an L2 penalty on all but the first, the intercept."""
    sign = np.where(positive, 1.0, -1.0)
    penalty = np.full(x.shape[1], _PENALTY)
    penalty[0] = 1e-3

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (x @ w)
        value = np.logaddexp(0.0, -margin).sum() + 0.5 * (penalty * w**2).sum()
        return float(value), x.T @ (-sign * expit(-margin)) + penalty * w

    return np.asarray(minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x)


def _judged(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], groups: Sequence[NDArray[np.intp]], seed: int
) -> tuple[float, float | None, float | None]:
    def area(drawn: Sequence[NDArray[np.intp]]) -> float:
        picked = np.concatenate(drawn)
        return auc_roc(scores[picked], positive[picked])

    low, high = bootstrap(groups, area, _DRAWS, seed)
    return auc_roc(scores, positive), low, high
