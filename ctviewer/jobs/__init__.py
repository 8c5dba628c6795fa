"""Long jobs beside the window: a worker thread drives a generator of events; QtCore and core only."""

from ctviewer.jobs.outcome import Cancelled, Failed, Outcome, Succeeded
from ctviewer.jobs.runner import Job, JobRunner

__all__ = ["Cancelled", "Failed", "Job", "JobRunner", "Outcome", "Succeeded"]
