"""Question, comment and key images: the reader's words to the reading, and what was kept back to the panels."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QImage

from ctviewer.core.reading import Reading
from ctviewer.ui.binders.image import preview
from ctviewer.ui.layout import Parts
from ctviewer.ui.panels.key_images import KeyImage
from ctviewer.ui.presenters.reading import ReadingPresenter
from ctviewer.ui.session import Session


class WordsBinder(QObject):
    """Shows the reading's words and key images, and sends edits."""

    def __init__(
        self,
        session: Session,
        reading: ReadingPresenter,
        parts: Parts,
        key_image: QAction,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._reading, self._parts, self._key_image = session, reading, parts, key_image
        self._shown_keys: tuple[int, ...] | None = None
        reading.changed.connect(self._show)
        session.slice_changed.connect(lambda _index: self._show_mark())
        parts.comment.question_edited.connect(reading.set_question)
        parts.comment.comment_edited.connect(reading.set_comment)
        parts.key_images.slice_requested.connect(session.go_to)
        parts.key_images.removal_requested.connect(lambda index: reading.set_key_image(index, False))
        self._show(None)

    def _show(self, reading: Reading | None) -> None:
        comment = self._parts.comment
        comment.set_editable(reading is not None)
        comment.set_question(reading.question if reading else "")
        comment.set_comment(reading.comment if reading else "")
        self._show_keys(reading.key_slices if reading else ())
        self._show_mark()

    def _show_keys(self, keys: tuple[int, ...]) -> None:
        volume = self._session.volume
        if volume is None or keys == self._shown_keys:
            return
        self._shown_keys = keys
        self._parts.key_images.set_images(
            [
                KeyImage(i, volume.series.image_name(i), preview(volume, i, volume.initial_window) or QImage())
                for i in sorted(keys, key=self._session.position_of)
            ]
        )

    def _show_mark(self) -> None:
        """Tick the command while the slice shown is a key image; no intent goes out for it."""
        reading = self._reading.reading
        on = reading is not None and self._session.volume is not None and self._session.index in reading.key_slices
        self._key_image.blockSignals(True)
        self._key_image.setChecked(on)
        self._key_image.blockSignals(False)
