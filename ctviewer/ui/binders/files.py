"""Choosing what to open: dialogs, recent entries, things dropped on the window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QMimeData, QObject
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from ctviewer.core.errors import StorageError
from ctviewer.core.series import Severity
from ctviewer.ui.message_bar import MessageBar
from ctviewer.ui.panels.common import shortened
from ctviewer.ui.presenters.opening import OpeningPresenter
from ctviewer.ui.services import Services
from ctviewer.ui.session import Session

FILTERS = ";;".join(
    (
        "All files (*)",  # first: files of DICOM often have no ending
        "DICOM (*.dcm *.dicom *.ima DICOMDIR*)",
        "ZIP archives (*.zip)",
        "NIfTI and MetaImage (*.nii *.nii.gz *.mha *.mhd)",
        "Pictures of slices (*.png *.tif *.tiff)",
    )
)
_LONGEST = 70  # characters of a path in the menu


class FilesBinder(QObject):
    """Sends what the reader chose to the presenter, and remembers it."""

    def __init__(
        self,
        session: Session,
        opening: OpeningPresenter,
        services: Services,
        messages: MessageBar,
        recent: QMenu,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._session, self._opening, self._services = session, opening, services
        self._messages, self._recent, self._window = messages, recent, parent
        self._path: Path | None = None
        opening.opened.connect(self._remember)
        self._fill_recent()

    def open_path(self, path: Path) -> None:
        """Open a folder or file; what was open stays until something readable is found."""
        self._messages.clear()
        self._services.will_open(path)
        self._path = path
        self._opening.open_path(path)

    def ask_folder(self) -> None:
        """Let the reader choose a folder."""
        chosen = QFileDialog.getExistingDirectory(self._window, "Open a folder of CT slices", self._start())
        if chosen:
            self.open_path(Path(chosen))

    def ask_file(self) -> None:
        """Let the reader choose a file: an image, an archive, the table of contents of a disc."""
        chosen, _ = QFileDialog.getOpenFileName(self._window, "Open an image or archive", self._start(), FILTERS)
        if chosen:
            self.open_path(Path(chosen))

    def _start(self) -> str:
        """Where a dialog begins."""
        return str(self._path or Path.home())

    def drop(self, data: QMimeData, take: Callable[[], None]) -> None:
        """Open the first local folder or file of what was dropped, and take the drop."""
        for url in data.urls():
            if url.isLocalFile():
                take()
                self.open_path(Path(url.toLocalFile()))
                return

    def _remember(self, path: Path) -> None:
        catalog = self._session.catalog
        title = catalog.series[0].study.description if catalog and catalog.series else ""
        try:
            self._services.store.remember_folder(path, title or path.name)
        except StorageError as error:
            self._messages.say(str(error), Severity.WARNING)
        self._fill_recent()

    def _fill_recent(self) -> None:
        self._recent.clear()
        try:
            entries = self._services.store.recent_folders()
        except StorageError:  # told when it is written to
            entries = ()
        for entry in entries:
            text = f"{entry.title}   {shortened(str(entry.path), _LONGEST)}"
            action = self._recent.addAction(text.replace("&", "&&"))
            action.setStatusTip(str(entry.path))
            action.triggered.connect(lambda _checked=False, path=entry.path: self.open_path(path))
        self._recent.setEnabled(not self._recent.isEmpty())
