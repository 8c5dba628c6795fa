"""The analysis with the installed models, for the window and the command line alike."""

from __future__ import annotations

from collections.abc import Iterator

from ctviewer.app.models import in_use, installed
from ctviewer.core.errors import BundleError
from ctviewer.core.events import Event, Message
from ctviewer.core.volume import Volume
from ctviewer.inference import AnalysisSettings, NetCache, analyse, preloading
from ctviewer.models.bundle import Bundle
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT


class Analyst:
    """Runs the pipeline with the active bundles and keeps the built nets for the next study. torch comes when asked for.

    Args:
        device: "auto" (CUDA where there is one, else the CPU), "cpu" or "cuda".
    """

    def __init__(self, device: str = "auto") -> None:
        self._device = device
        self._nets = NetCache()

    def detector_classes(self) -> tuple[str, ...]:
        """Classes of the active detector, in order; empty where there is none."""
        bundle = self.detector()
        return bundle.metadata.classes if bundle else ()

    def detector(self) -> Bundle | None:
        """The active one-shot model; None where there is none that can be used."""
        return in_use(ONE_SHOT)

    def lesion_classes(self) -> tuple[str, ...]:
        """Those of them that are lesions."""
        bundle = in_use(ONE_SHOT)
        return bundle.metadata.lesion_classes if bundle else ()

    def classifier(self) -> Bundle | None:
        """The active study classifier; None where there is none that can be used."""
        return in_use(CLASSIFIER)

    def active_hashes(self) -> set[str]:
        """SHA-256 of the active models' weights; empty where one of them cannot be used."""
        try:
            active = [installed().active(task) for task in (CLASSIFIER, ONE_SHOT)]
        except BundleError:
            return set()
        return {bundle.info.sha256 for bundle in active if bundle is not None}

    def preload(self) -> Iterator[Event]:
        """Import torch in small steps, so that the first analysis starts at once; a generator for a worker thread."""
        return preloading()

    def analyse(self, volume: Volume) -> Iterator[Event]:
        """The pipeline's events (`ctviewer.inference.analyse`), with the active bundle of each task.

        Raises:
            BundleError: no bundle is in use, or the active one cannot be used.
        """
        registry = installed()
        classifier, detector = registry.active(CLASSIFIER), registry.active(ONE_SHOT)
        if classifier is None and detector is None:
            raise BundleError(
                "No model is in use: put a bundle into the bundles folder, or activate one (see Model, Models…)."
            )
        if problems := registry.scan()[1]:  # another model takes the place of one that was put there: never silently
            yield Message(" ".join(problems))
        yield from analyse(volume, classifier, detector, AnalysisSettings(device=self._device), self._nets)
