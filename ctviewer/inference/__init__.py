"""From a volume to findings: suitability, device, and the analysis as a generator of events.

Importing this imports no torch: the first event of an analysis, its suitability check, does not wait for it.
"""

from ctviewer.inference.cache import NetCache
from ctviewer.inference.pipeline import analyse
from ctviewer.inference.settings import AnalysisSettings
from ctviewer.inference.torch_preload import preload_torch, preloading

__all__ = ["AnalysisSettings", "NetCache", "analyse", "preload_torch", "preloading"]
