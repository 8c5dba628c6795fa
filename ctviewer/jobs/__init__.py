"""Long jobs beside the window: a worker thread drives a generator of events, or a child process; QtCore and core only."""

from ctviewer.jobs.child import Child, ChildCommand, ChildEnd
from ctviewer.jobs.outcome import Cancelled, Failed, Outcome, Succeeded
from ctviewer.jobs.runner import Job, JobRunner

__all__ = ["Cancelled", "Child", "ChildCommand", "ChildEnd", "Failed", "Job", "JobRunner", "Outcome", "Succeeded"]
