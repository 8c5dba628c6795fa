"""The labelled slices that a command is asked to judge one-shot models on: a folder in some format, or a configuration."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ctviewer.app.evaluate_options import CLASSES, LESIONS
from ctviewer.app.evaluation_parts import chosen_parts
from ctviewer.app.logs import redactor
from ctviewer.app.train_data import folders_of, source_of
from ctviewer.core.errors import InputError
from ctviewer.core.events import Event
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import ONE_SHOT
from ctviewer.training.config_file import read_config
from ctviewer.training.slices.two_sources import IMAGES, TwoSources, kind_of
from ctviewer.training.slices.two_sources import LESIONS as LESION_SETS
from ctviewer.training.source import SliceSource

OWN = "studies"
Kinds = Callable[[str], tuple[bool, bool]]


@dataclass(frozen=True, eq=False)
class Asked:
    """Scans and what of them is judged.

    Attributes:
        source: of the scans.
        folders: in which nothing may be written.
        parts: by scan, those that are judged.
        kinds: whether the outlines, and whether the classes of slices of a scan are judged.
    """

    source: SliceSource
    folders: tuple[Path, ...]
    parts: Mapping[str, str]
    kinds: Kinds

    def answers(self, bundle: Bundle, device: str) -> Iterator[Event]:
        """What a one-shot model says of them: the events of `predict_slices`."""
        from ctviewer.training.engine.one_shot.scans import Wanted
        from ctviewer.training.slice_predicting import predict_slices

        def wanted(scan: str) -> Wanted:
            return Wanted(*self.kinds(scan))

        return predict_slices(bundle, self.source, list(self.parts), parts=self.parts, device=device, wanted=wanted)


def asked_slices(options: argparse.Namespace, folder: Path | None) -> Asked:
    """What the options of `evaluate_options.add_slices` ask for.

    Args:
        options: with `labels`, `values`, `split` besides.
        folder: of the slices; None where a configuration names them.

    Raises:
        InputError: the folder or a list cannot be used, or the options contradict each other.
    """
    source, folders, kinds = _of_config(options.config, folder) if options.config else _of_folder(options, folder)
    if options.only:
        kinds = _only(kinds, options.only)
    parts = {scan: part for scan, part in chosen_parts(source, options.split, "scan").items() if any(kinds(scan))}
    if not parts:
        what = "a class of slices" if options.only == CLASSES else "outlines of lesions"
        raise InputError(f"None of these scans has {what}, as far as their sets say.")
    return Asked(source, folders, parts, kinds)


def require_known(asked: Asked, bundle: Bundle) -> None:
    """Slices have classes that the model knows, where they are judged.

    Raises:
        InputError: they have others.
    """
    known = bundle.metadata.image_classes
    if not known:
        return
    shown = {name for scan in asked.parts if asked.kinds(scan)[1] for name in asked.source.classes(scan)}
    if unknown := sorted(shown - set(known)):
        raise InputError(
            f"{bundle.key} does not know slices of the class {', '.join(unknown)}; its classes of slices are "
            f"{', '.join(known)}. A configuration may say in model.merge what they are (--config), and --only lesions leaves "
            "them out."
        )


def _of_folder(options: argparse.Namespace, folder: Path | None) -> tuple[SliceSource, tuple[Path, ...], Kinds]:
    from ctviewer.datasets.slices import open_slice_source

    if folder is None:
        raise InputError("Name the folder of the slices, or a configuration by --config.")
    redactor.hide(folder)
    source = open_slice_source(
        options.format or OWN, folder, options.labels, "", options.complete or "", options.values or ""
    )
    return source, (folder,), lambda scan: (True, bool(source.classes(scan)))


def _of_config(path: Path, folder: Path | None) -> tuple[SliceSource, tuple[Path, ...], Kinds]:
    if folder is not None:
        raise InputError("Name either a folder or a configuration, not both.")
    config = read_config(path)
    if config.task != ONE_SHOT:
        raise InputError(f"{path} is the configuration of a study classifier, which has no sets of slices.")
    source = source_of(config)
    assert isinstance(source, TwoSources)  # of this task
    return source, folders_of(config), lambda scan: (kind_of(scan) == LESION_SETS, kind_of(scan) == IMAGES)


def _only(kinds: Kinds, what: str) -> Kinds:
    def limited(scan: str) -> tuple[bool, bool]:
        lesions, classes = kinds(scan)
        return lesions and what == LESIONS, classes and what == CLASSES

    return limited
