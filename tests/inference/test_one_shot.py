"""The one-shot model in the pipeline: slice classes, regions of interest and lungs beside lesions."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from torchvision.ops import FrozenBatchNorm2d

from ctviewer.core.analysis_events import SliceSegmented
from ctviewer.core.anatomy import find_midline
from ctviewer.core.errors import BundleError, DeviceError
from ctviewer.core.lungs import LungMeter
from ctviewer.core.serialise import from_dict, to_dict
from ctviewer.inference import AnalysisSettings, NetCache, analyse
from ctviewer.inference.engine import Engine
from ctviewer.models.placement import Placement
from ctviewer.models.postprocess import instances, lung_classes
from ctviewer.models.preprocess import net_input

FLOAT32 = AnalysisSettings(device="cpu", precision="float32")


@pytest.fixture
def run(cache):
    def begin(volume, bundle, classifier=None, settings=FLOAT32):
        events = list(analyse(volume, classifier, bundle, settings, cache))
        return events, events[-1].value

    return begin


@pytest.fixture
def answers(cache):
    """What the net itself says of each slice, one at a time."""

    def ask(volume, bundle):
        net = cache.get(bundle, torch.device("cpu"))
        p, threshold = bundle.metadata.preprocessing, bundle.metadata.thresholds.detection_score
        with torch.inference_mode():
            return [net.analyse(net_input(volume, [i], p), threshold)[0] for i in range(volume.slice_count)]

    return ask


def test_slice_classes_are_the_nets_own_logits(run, answers, volume, tiny_one_shot):
    events, result = run(volume, tiny_one_shot)
    told = result.slice_classes
    assert (told.classes, told.negative_class) == (("clear", "pneumonia", "covid"), "clear")
    assert told.model == tiny_one_shot.info and result.classification is None
    expected = np.stack([a.logits.numpy() for a in answers(volume, tiny_one_shot)])
    np.testing.assert_allclose(told.logits, expected, atol=1e-5)
    said = {e.slice_index: e.class_logits for e in events if isinstance(e, SliceSegmented)}
    np.testing.assert_allclose(np.array([said[i] for i in range(volume.slice_count)]), told.logits)


def test_regions_lie_in_the_volumes_own_matrix_with_their_attention(run, answers, volume, tiny_one_shot):
    events, result = run(volume, tiny_one_shot)
    placement = Placement.of(volume.geometry, 64)
    assert result.rois and [r.slice_index for r in result.rois] == sorted(r.slice_index for r in result.rois)
    rows, columns = volume.stored.shape[1:]
    for index, answer in enumerate(answers(volume, tiny_one_shot)):
        mine = [r for r in result.rois if r.slice_index == index]
        assert len(mine) == len(answer.rois.boxes)
        for roi, box in zip(mine, answer.rois.boxes.numpy(), strict=True):
            assert roi.box == pytest.approx(placement.box(box), abs=0.01)
            assert 0 <= roi.box[0] <= roi.box[2] <= columns and 0 <= roi.box[1] <= roi.box[3] <= rows
        for module in ("positive", "negative"):
            assert sum(getattr(r, module) for r in mine) == pytest.approx(1.0, abs=1e-4)
    by_event = {e.slice_index: e.rois for e in events if isinstance(e, SliceSegmented)}
    assert tuple(r for i in range(volume.slice_count) for r in by_event[i]) == result.rois


def test_a_mirrored_series_has_its_regions_at_the_same_place_of_the_patient(run, volume_of, volume, tiny_one_shot):
    last, width = volume.slice_count - 1, volume.stored.shape[2]
    turned = np.ascontiguousarray(volume.stored[::-1, :, ::-1])
    mirrored = volume_of(turned, z=np.arange(last, -1, -1) * 2.0, row_cosines=(-1.0, 0.0, 0.0))
    plain, other = run(volume, tiny_one_shot)[1], run(mirrored, tiny_one_shot)[1]
    np.testing.assert_allclose(other.slice_classes.logits[::-1], plain.slice_classes.logits, atol=1e-4)
    boxes = sorted((last - r.slice_index, width - r.box[2], r.box[1], width - r.box[0], r.box[3]) for r in plain.rois)
    np.testing.assert_allclose(boxes, sorted((r.slice_index, *r.box) for r in other.rois), atol=0.02)
    assert other.lungs.right_ml == pytest.approx(plain.lungs.right_ml)


def test_lungs_are_those_of_the_masks_at_the_threshold_with_all_lesions(run, answers, volume, tiny_one_shot):
    _, result = run(volume, tiny_one_shot)
    m, placement = tiny_one_shot.metadata, Placement.of(volume.geometry, 64)
    meter, lungs_seen = LungMeter(volume, find_midline(volume)), 0
    for index, answer in enumerate(answers(volume, tiny_one_shot)):
        found = instances(answer.detections, index, m.classes, placement, m.thresholds.detection_score)
        lungs = [i.mask for i in found if i.label == "lung"]
        lungs_seen += len(lungs)
        meter.add(index, lungs, [i.mask for i in found if i.label == "ggo"])
    assert lungs_seen and result.lungs.total_ml == pytest.approx(meter.lungs().total_ml)
    assert all(i.label == "ggo" for lesion in result.lesions for i in lesion.instances)
    for lesion in result.lesions:
        assert lesion.lung_share == pytest.approx(lesion.volume_ml / result.lungs.total_ml)
        assert 0 < lesion.lung_share <= 1


def test_what_failed_has_no_class_and_no_region(run, volume_of, tiny_one_shot):
    failed = np.arange(12) == 4
    _, result = run(volume_of(changes={"failed": failed}), tiny_one_shot)
    assert np.isnan(result.slice_classes.logits[4]).all()
    assert np.isfinite(np.delete(result.slice_classes.logits, 4, axis=0)).all()
    assert 4 not in {r.slice_index for r in result.rois}


def test_with_a_classifier_the_two_answers_stay_apart(run, volume, tiny_one_shot, classifier):
    alone, both = run(volume, None, classifier)[1], run(volume, tiny_one_shot, classifier)[1]
    assert both.classification.probabilities == alone.classification.probabilities
    np.testing.assert_array_equal(both.classification.weights, alone.classification.weights)
    assert both.slice_classes is not None and alone.slice_classes is None and alone.rois == () and alone.lungs is None


def test_a_model_without_image_classes_tells_none(run, volume, detector):
    events, result = run(volume, detector)
    assert result.slice_classes is None and result.rois == ()
    assert all(e.class_logits == () and e.rois == () for e in events if isinstance(e, SliceSegmented))


def test_all_of_it_survives_the_store(run, volume, tiny_one_shot):
    _, result = run(volume, tiny_one_shot)
    again = from_dict(json.loads(json.dumps(to_dict(result), allow_nan=False)))
    assert (again.rois, again.lungs, again.lesions) == (result.rois, result.lungs, result.lesions)
    np.testing.assert_array_equal(again.slice_classes.logits, result.slice_classes.logits)


def test_inference_leaves_every_buffer_and_weight_as_it_is(volume, make_one_shot):
    bundle, own = make_one_shot(branches="copied", norm="batch", norms="running"), NetCache()
    net = own.get(bundle, torch.device("cpu"))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    list(analyse(volume, None, bundle, FLOAT32, own))
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items()) and not net.training


def test_frozen_batch_norm_is_folded_and_the_answer_stays(volume, make_one_shot):
    bundle = make_one_shot(norm="batch")
    folded, plain = NetCache().get(bundle, torch.device("cpu")), bundle.build()
    assert any(isinstance(m, FrozenBatchNorm2d) for m in plain.modules())
    assert not any(isinstance(m, FrozenBatchNorm2d) for m in folded.modules())
    batch = net_input(volume, [0, 5], bundle.metadata.preprocessing)
    with torch.inference_mode():
        torch.testing.assert_close(folded.features(batch), plain.features(batch), atol=1e-4, rtol=1e-4)


def test_a_net_that_tells_other_classes_than_its_bundle_names_is_refused(volume, tiny_one_shot):
    named = dataclasses.replace(tiny_one_shot.metadata, image_classes=("clear", "covid"))
    wrong = dataclasses.replace(tiny_one_shot, metadata=named)
    with pytest.raises(BundleError, match="does not tell the 2 image classes"):
        list(analyse(volume, None, wrong, FLOAT32, NetCache()))


def test_logits_that_are_not_finite_are_refused(volume, tiny_one_shot):
    class Broken(NetCache):
        def get(self, bundle, device):
            net = super().get(bundle, device)
            for parameter in net.attention_layer.parameters():
                parameter.data.fill_(float("nan"))
            return net

    with pytest.raises(DeviceError, match="not finite"):
        list(analyse(volume, None, tiny_one_shot, FLOAT32, Broken()))


def test_short_memory_changes_no_answer(run, volume, tiny_one_shot, monkeypatch):
    """A GPU with room for one slice at a time, then for none: all goes on, and says so."""
    expected = run(volume, tiny_one_shot)[1]
    real, tried = Engine._run, []

    def short(self, call, batch):
        tried.append(len(batch))
        if self.device.type == "cuda" and (len(batch) > 1 or len(tried) > 5):
            raise torch.OutOfMemoryError("CUDA out of memory")
        pretended, self.device = self.device, torch.device("cpu")
        try:
            return real(self, call, batch)
        finally:
            self.device = pretended

    monkeypatch.setattr("ctviewer.inference.engine.choose_device", lambda _: torch.device("cuda", 0))
    monkeypatch.setattr("ctviewer.inference.engine.free_memory", lambda device: None)
    monkeypatch.setattr("ctviewer.inference.device.describe", str)
    monkeypatch.setattr(Engine, "_run", short)
    events = list(analyse(volume, None, tiny_one_shot, AnalysisSettings(precision="float32"), _OnCpu()))
    said = [e.text for e in events if hasattr(e, "text")]
    assert "1 slice at a time" in said[-2]
    assert said[-1].endswith("goes on with the CPU.")
    np.testing.assert_allclose(events[-1].value.slice_classes.logits, expected.slice_classes.logits, atol=1e-5)
    assert events[-1].value.rois == expected.rois


class _OnCpu(NetCache):
    """Nets stay on the CPU whatever the engine believes."""

    def get(self, bundle, device):
        return super().get(bundle, torch.device("cpu"))


def test_lung_is_what_is_named_so():
    assert lung_classes(("background", "Lung", "GGO"), ("GGO",)) == ("Lung",)
    assert lung_classes(("background", "left lung", "right lung", "heart", "lung nodule"), ("lung nodule",)) == (
        "left lung",
        "right lung",
    )
    assert lung_classes(("background", "infection"), ("infection",)) == ()
