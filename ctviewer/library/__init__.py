"""The work store: the reader's work in one SQLite file that survives crashes, full disks and newer versions."""

from ctviewer.library.store import RecentFolder, SavedView, WorkStore

__all__ = ["RecentFolder", "SavedView", "WorkStore"]
