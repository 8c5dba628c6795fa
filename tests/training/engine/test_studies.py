"""Prepared squares: what the model meets in use, made once, made anew where they are not whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from ctviewer.core.errors import InputError, StorageError
from ctviewer.core.events import Progress
from ctviewer.models.metadata import Preprocessing
from ctviewer.models.preprocess import net_input, study_order
from ctviewer.training.augment import Pose, draw_grid, draw_study, sample_grey
from ctviewer.training.engine.studies import StudyStore, file_name
from ctviewer.training.preflight.facts import content_of
from ctviewer.training.sampling import Subsequence, draw_generator, paper_pose

INPUT = Preprocessing(-600.0, 1500.0, 48, 40, (0.5,), (0.3,))


class Counted:
    """A source that counts what is read, and may be changed under the store."""

    def __init__(self, source) -> None:
        self._source = source
        self.loads: list[str] = []
        self.change = lambda volume, labels: (volume, labels)

    def __getattr__(self, name):
        return getattr(self._source, name)

    def load(self, study):
        self.loads.append(study)
        return self.change(*self._source.load(study))


@pytest.fixture
def source(toy) -> Counted:
    return Counted(toy("s", 3, slices=11))


def squares(folder: Path, study: str) -> Path:
    return folder / f"{file_name(study)}.squares"


def test_slices_are_what_the_model_meets_in_use(source, tmp_path):
    store = StudyStore(source, INPUT, tmp_path)
    volume, _ = source.load("s1")
    expected = net_input(volume, study_order(volume), INPUT)
    slices = store.slices("s1")
    assert len(slices) == store.length("s1") == 11
    given = slices[0:11]
    assert given.shape == expected.shape and given.dtype == torch.float32
    assert float((given - expected).abs().max()) < 0.5 / 65535 / 0.3 * 1.01  # half a step of the stored grey


def test_three_channels_have_the_statistics_of_each(source, tmp_path):
    p = dataclasses.replace(INPUT, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    volume, _ = source.load("s0")
    given = StudyStore(source, p, tmp_path).slices("s0")[2:4]
    assert torch.allclose(given, net_input(volume, study_order(volume)[2:4], p), atol=1e-4)


def test_the_order_is_head_to_feet_without_slices_that_failed(source, tmp_path):
    source.change = lambda volume, labels: (dataclasses.replace(volume, failed=np.arange(11) == 3), labels)
    store = StudyStore(source, INPUT, tmp_path)
    volume, labels = source.load("s1")
    order = study_order(volume)
    assert list(order) == [10, 9, 8, 7, 6, 5, 4, 2, 1, 0]  # of a series stored feet first
    assert store.length("s1") == 10
    assert torch.allclose(store.slices("s1")[0:10], net_input(volume, order, INPUT), atol=1e-4)
    np.testing.assert_array_equal(store.slice_labels("s1"), [float((labels[i] >= 2).any()) for i in order])


def test_each_study_is_read_once_whatever_follows(source, tmp_path):
    store = StudyStore(source, INPUT, tmp_path)
    events = list(store.prepare(source.ids()))
    assert events[0] == Progress("Preparing studies", 0, 3) and events[-1] == Progress("Preparing studies", 3, 3)
    assert source.loads == ["s0", "s1", "s2"]
    again = StudyStore(source, INPUT, tmp_path)
    list(again.prepare(source.ids()))
    assert torch.equal(again.slices("s2")[0:3], store.slices("s2")[0:3])
    assert again.content("s1") == content_of(source._source.load("s1")[0]).sha256
    assert source.loads == ["s0", "s1", "s2"]


def test_window_size_and_content_make_squares_anew_and_crop_and_statistics_do_not(source, tmp_path):
    store = StudyStore(source, INPUT, tmp_path)
    list(store.prepare(["s0"]))
    list(StudyStore(source, dataclasses.replace(INPUT, crop=32, mean=(0.4,)), tmp_path).prepare(["s0"]))
    assert len(source.loads) == 1
    for other in (dataclasses.replace(INPUT, window_centre=40.0), dataclasses.replace(INPUT, size=44)):
        list(StudyStore(source, other, tmp_path).prepare(["s0"]))
    assert len(source.loads) == 3
    list(StudyStore(source, INPUT, tmp_path, {"s0": store.content("s0")}).prepare(["s0"]))
    assert len(source.loads) == 4


def test_a_study_whose_pixels_changed_since_they_were_checked_is_refused(source, tmp_path):
    known = {"s0": "0" * 64}
    with pytest.raises(InputError, match=r"s0 is not the one that was checked: its pixels have changed"):
        StudyStore(source, INPUT, tmp_path, known).length("s0")
    assert list(tmp_path.iterdir()) == []


def test_a_study_without_slices_is_refused(source, tmp_path):
    source.change = lambda volume, labels: (dataclasses.replace(volume, failed=np.ones(11, bool)), labels)
    with pytest.raises(InputError, match="s0 has no slice that can be read"):
        StudyStore(source, INPUT, tmp_path).length("s0")


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "remove"])
def test_damaged_squares_are_made_anew(source, tmp_path, harm):
    whole = StudyStore(source, INPUT, tmp_path).slices("s1")[0:11].clone()
    path = squares(tmp_path, "s1")
    data = bytearray(path.read_bytes())
    if harm == "flip":
        data[len(data) // 3] ^= 0x40
    path.write_bytes({"cut": data[: len(data) // 2], "flip": data, "empty": b"", "remove": b""}[harm])
    if harm == "remove":
        path.unlink()
    store = StudyStore(source, INPUT, tmp_path)
    assert store.length("s1") == 11
    assert torch.equal(store.slices("s1")[0:11], whole)
    assert source.loads == ["s1", "s1"]


def test_names_of_studies_do_not_reach_the_disk(toy, tmp_path):
    source = toy("../Miller^Anna é ", 2)
    store = StudyStore(source, INPUT, tmp_path / "in")
    list(store.prepare(source.ids()))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]
    assert all(b"Miller" not in p.read_bytes() and "Miller" not in p.name for p in (tmp_path / "in").iterdir())


def test_a_place_that_cannot_be_written_is_told(source, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="could not be written"):
        StudyStore(source, INPUT, tmp_path / "file" / "in").length("s0")


def test_many_studies_do_not_keep_as_many_files_open(source, tmp_path):
    store = StudyStore(source, INPUT, tmp_path)
    list(store.prepare(source.ids()))
    for _ in range(3):
        for study in source.ids():
            store.slices(study)[0:1]
    fds = Path("/proc/self/fd")
    if fds.is_dir():
        assert not [fd for fd in fds.iterdir() if str(tmp_path) in str(fd.resolve())]


def test_no_labels_are_none(toy, tmp_path):
    assert StudyStore(toy("s", 1, labelled=False), INPUT, tmp_path).slice_labels("s0") is None


@pytest.mark.parametrize("pose", [Pose(), paper_pose(48, 40), Pose(blur=1.0, noise=0.2)])
def test_a_draw_gives_the_same_slices_whole_in_parts_and_as_subsequence(source, tmp_path, pose):
    store = StudyStore(source, INPUT, tmp_path)

    def drawn(sequence=None):
        return store.slices("s1", sequence, pose, draw_generator(5, "s1", 2, 8))

    whole = drawn()[0:11]
    assert not torch.equal(whole, store.slices("s1")[0:11])
    one = drawn()
    assert torch.equal(torch.cat([one[0:4], one[4:8], one[8:11]]), whole)
    assert torch.equal(one[4:8], whole[4:8])  # asked for twice
    part = drawn(Subsequence("s1", 1, 4))
    assert len(part) == 3 and torch.equal(part[0:3], whole[1::4])


def test_one_pose_holds_for_all_slices_and_noise_differs(toy, tmp_path):
    class Even:
        """All slices alike."""

        def __init__(self) -> None:
            self._source = toy("s", 2, slices=6)

        def __getattr__(self, name):
            return getattr(self._source, name)

        def load(self, study):
            volume, labels = self._source.load(study)
            return dataclasses.replace(volume, stored=np.repeat(volume.stored[:1], 6, axis=0)), labels

    store = StudyStore(Even(), INPUT, tmp_path)
    turned = store.slices("s0", None, paper_pose(48, 40), np.random.default_rng(3))[0:6]
    assert torch.equal(turned, turned[:1].expand_as(turned))
    noisy = store.slices("s0", None, Pose(noise=0.5), np.random.default_rng(3))[0:6]
    assert all(not torch.equal(noisy[i], noisy[j]) for i in range(6) for j in range(i))


def test_a_draw_of_pose_alone_is_the_bilinear_sampling_of_its_grid(source, tmp_path):
    """Against the same formula written down: window, grid, statistics."""
    pose = paper_pose(48, 40)
    store = StudyStore(source, INPUT, tmp_path)
    given = store.slices("s1", None, pose, draw_generator(0, "s1", 0, 8))[0:11]
    volume, _ = source.load("s1")
    whole = dataclasses.replace(INPUT, crop=48, mean=(0.0,), std=(1.0,))
    grid = draw_grid(pose, draw_generator(0, "s1", 0, 8), 1, 48, 40).expand(11, -1, -1, -1)
    expected = (sample_grey(net_input(volume, study_order(volume), whole), grid, 0.0) - 0.5) / 0.3
    assert torch.allclose(given, expected, atol=1e-4)


def test_grey_is_varied_as_the_formula_says():
    pose, indices = Pose(noise=0.4, blur=1.0), np.arange(2, 6)
    draw = draw_study(pose, np.random.default_rng(9), 7, 24, 20)
    grey = torch.rand(4, 1, 24, 24, generator=torch.Generator().manual_seed(1))
    posed = sample_grey(grey, draw.grid.expand(4, -1, -1, -1), 0.1)
    padded = torch.nn.functional.pad(posed, (1, 1, 1, 1))
    count = torch.nn.functional.pad(torch.ones_like(posed), (1, 1, 1, 1))
    shifts = [(r, c) for r in range(3) for c in range(3)]
    total = sum(padded[..., r : r + 20, c : c + 20] for r, c in shifts)
    soft = total / sum(count[..., r : r + 20, c : c + 20] for r, c in shifts)
    noise = torch.stack([draw.noise[r : r + 20, c : c + 20] for r, c in draw.corners[2:6]])[:, None]
    expected = ((soft - 0.5) * draw.gain + 0.5 + draw.offset + draw.level * noise).clamp(0, 1)
    assert torch.allclose(draw.apply(grey, indices, 0.1), expected, atol=1e-6)
    assert draw.level > 0.0 and draw.gain != 1.0 and abs(float(draw.noise.std()) - 1.0) < 0.05
