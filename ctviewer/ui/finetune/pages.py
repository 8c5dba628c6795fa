"""What the dialog's frame and its pages agree on. Pages show and ask; `presenters.training` decides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from ctviewer.core.events import Progress
from ctviewer.ui.finetune.services import FinishedRun, TrainingChoices

if TYPE_CHECKING:
    from ctviewer.training.config import RunConfig
    from ctviewer.training.preflight.report import PreflightReport
    from ctviewer.ui.presenters.looking import FoundStudies
    from ctviewer.ui.presenters.looking_sets import FoundSet


class Page(QWidget):
    """One page. The frame draws the heading and the buttons Back, Next and Close; the page fills what is between.

    Attributes:
        heading: in the row of steps ("Data").
        next_text: of the button that leads on, with its mnemonic; "" where nothing leads on from here.
    """

    heading = ""
    next_text = ""

    ready_changed = Signal(bool)  # whether the button that leads on may be pressed

    @property
    def ready(self) -> bool:
        """Whether all that is needed to go on is there."""
        return True


class DataPage(Page):
    """Data and labels, base model, what to train, recipe, device."""

    heading = "Data and recipe"
    next_text = "&Check the data"

    look_requested = Signal(
        object, object
    )  # folder (Path) and table (Path, None for its labels.csv): see `FolderLooker`
    set_look_requested = Signal(object, object, str)  # key, SliceSet and kind of a set of slices: see `SetLooker`
    findings_look_requested = Signal(
        object, str
    )  # key of a set that is the findings corrected in the viewer, and its kind
    set_forgotten = Signal(object)  # key of a set that is gone
    read_studies_requested = Signal()  # use the studies read in the viewer: the presenter answers by `set_read_studies`

    def set_choices(self, choices: TrainingChoices) -> None:
        """What there is to choose from; called each time the page is shown, so what was chosen must stay."""
        raise NotImplementedError

    def set_found(self, folder: Path, found: FoundStudies | None, problem: str) -> None:
        """What a look at the folder found; None and a sentence where it cannot be used."""
        raise NotImplementedError

    def set_found_set(self, key: object, found: FoundSet | None, problem: str) -> None:
        """What a look at a set of slices found; None and a sentence where it cannot be used."""
        raise NotImplementedError

    def set_read_studies(self, table: Path) -> None:
        """The table of the studies read in the viewer was written here: take it as the labels."""
        raise NotImplementedError

    def set_config(self, config: RunConfig) -> None:
        """Show what an earlier run was told."""
        raise NotImplementedError

    def config(self) -> RunConfig:
        """What is to be done; asked for while `ready`."""
        raise NotImplementedError

    def set_problem(self, text: str) -> None:
        """Why what was chosen cannot be used, in one sentence; "" takes it away."""
        raise NotImplementedError


class PreflightPage(Page):
    """What pre-flight found: errors block, doubts want a tick each. `ready` when nothing stands against the run."""

    heading = "Pre-flight"
    next_text = "&Start training"

    study_requested = Signal(str)  # open this study (its id in the source) in the viewer

    def set_progress(self, progress: Progress | None) -> None:
        """The check goes on (what was shown before is gone); None: it does not."""
        raise NotImplementedError

    def set_report(self, report: PreflightReport) -> None:
        """The check is done."""
        raise NotImplementedError

    def set_problem(self, text: str) -> None:
        """The check could not be done, in one sentence."""
        raise NotImplementedError


class ComparisonPage(Page):
    """Old against new, and which of them is used from now on."""

    heading = "Comparison"

    activate_requested = Signal()
    roll_back_requested = Signal()  # use the version before again
    keep_requested = Signal()  # the old version stays in use: there is nothing more to do
    study_requested = Signal(str)  # open this study (its id in the run) in the viewer

    def set_result(self, result: FinishedRun) -> None:
        """What the run made; called again when it is activated or rolled back."""
        raise NotImplementedError
