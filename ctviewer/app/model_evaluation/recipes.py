"""What the shipped models learned from, as `packaging/train_models.py` has it: the folds of the lesion model, and studies simulated
from the patients that no study model met. Both come from the same recipes, so that nothing is judged that was not shipped.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from ctviewer.app.model_evaluation.lesions import FoldRun
from ctviewer.app.model_evaluation.parts import Setting
from ctviewer.app.model_evaluation.simulated import SimulatedSource
from ctviewer.app.progress import ProgressLine, drain
from ctviewer.app.starter_chests import Sets, read_chests
from ctviewer.training.starter.chests import RECOVERED, Chest
from ctviewer.training.starter.lesion_split import folds_of, painted
from ctviewer.training.starter.recipe import lesion_folds
from ctviewer.training.starter.study_recipe import STUDY_FOLD, material_of

COVID19_CT_SEG, LUNG_PET_CT_DX, LIDC = "covid19_ct_seg", "lung_pet_ct_dx_A0002", "lidc_0003"
"""Folders of the test data that hold what models learned from."""

PER_CLASS = 20
_SEED = 50_000  # of simulated studies: none that training made


class TrainedOn:
    """The chests, read once, whatever is asked of them.

    Args:
        data: folder that holds the three sets.
        work: where `train_models.py` keeps chests and folds.
        seed: that the models were trained with.
        line: where progress goes.
    """

    def __init__(self, data: Path, work: Path, seed: int, line: ProgressLine) -> None:
        self._data, self._work, self._seed, self._line = data, work, seed, line

    @property
    def missing(self) -> str:
        """Which sets are not there, in a sentence; "" where all are."""
        missing = [name for name in (COVID19_CT_SEG, LUNG_PET_CT_DX, LIDC) if not (self._data / name).is_dir()]
        return f"{self._data} does not hold {', '.join(missing)}, which models learned from." if missing else ""

    @cached_property
    def chests(self) -> tuple[Chest, ...]:
        """All of them."""
        places = self._data / COVID19_CT_SEG, self._data / LUNG_PET_CT_DX, self._data / LIDC
        sets = Sets(*places, cache=self._work / "chests")
        found: tuple[Chest, ...] = drain(read_chests(sets), self._line)
        return found

    def folds(self) -> FoldRun | str:
        """What the lesion model is cross-validated on: folds that training left are judged as they are."""
        if self.missing:
            return self.missing
        too = painted([chest for chest in self.chests if chest.kind == RECOVERED])
        plan = lesion_folds(self._work / "folds", self._seed)
        return FoldRun(self.chests, too, plan, "folds by patient")

    def simulated(self, setting: Setting) -> SimulatedSource | str:
        """Studies simulated from the patients that no study model learned from, neither as chest nor as origin of lesions."""
        if self.missing:
            return self.missing
        held_out = folds_of(self.chests, seed=self._seed)[STUDY_FOLD - 1].test
        count = max(1, round(PER_CLASS * setting.effort))
        return SimulatedSource(material_of(held_out, self._seed), count, _SEED)
