import dataclasses
import json
import threading

import numpy as np
import pytest
import torch

from ctviewer.core.analysis_events import Abstained, SliceSegmented, StudyClassified, SuitabilityChecked
from ctviewer.core.errors import BundleError, DeviceError, InputError
from ctviewer.core.events import Done, Message, Progress
from ctviewer.core.findings import AnalysisResult, SliceScore
from ctviewer.core.serialise import from_dict, to_dict
from ctviewer.inference import AnalysisSettings, NetCache, analyse

FLOAT32 = AnalysisSettings(device="cpu", precision="float32", chunk=4)


@pytest.fixture
def run(cache):
    """All events of an analysis."""

    def begin(volume, classifier=None, detector=None, settings=FLOAT32):
        return list(analyse(volume, classifier, detector, settings, cache))

    return begin


def result_of(events) -> AnalysisResult:
    assert isinstance(events[-1], Done)
    return events[-1].value


def kinds(events):
    """The events that are not progress, runs of one kind once."""
    names = [type(e).__name__ for e in events if not isinstance(e, Progress)]
    return [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]


def test_events_come_in_order_and_slices_by_attention(run, volume, classifier, detector):
    events = run(volume, classifier, detector)
    assert kinds(events) == ["SuitabilityChecked", "StudyClassified", "SliceSegmented", "Done"]
    (classified,) = [e.classification for e in events if isinstance(e, StudyClassified)]
    segmented = [e.slice_index for e in events if isinstance(e, SliceSegmented)]
    assert segmented == list(classified.ranking()) and sorted(segmented) == list(range(volume.slice_count))
    stages = [e.stage for e in events if isinstance(e, Progress)]
    assert list(dict.fromkeys(stages)) == [
        "Loading the models",
        "Classifying slices",
        "Marking lesions",
        "Measuring lesions",
    ]
    for stage in ("Classifying slices", "Marking lesions"):
        done = [(e.done, e.total) for e in events if isinstance(e, Progress) and e.stage == stage]
        assert done == sorted(done) and done[0] == (0, volume.slice_count) and done[-1] == (volume.slice_count,) * 2


def test_the_result_holds_what_was_said_on_the_way(run, volume, classifier, detector):
    events = run(volume, classifier, detector)
    result = result_of(events)
    assert result.classification is next(e.classification for e in events if isinstance(e, StudyClassified))
    assert result.suitability is events[0].suitability
    assert result.series_key == "1.2#1" and result.series_uid == "1.2"
    assert result.slice_digests == tuple(volume.slice_digest(i) for i in range(volume.slice_count))
    assert result.provenance.models == (classifier.info, detector.info)
    assert (result.provenance.device, result.provenance.precision) == ("cpu", "float32")
    assert ("precision", "float32") in result.provenance.settings
    marked = {e.slice_index: e.instances for e in events if isinstance(e, SliceSegmented)}
    assert result.lesions, "the detector with a threshold of 0 finds something"
    assert {i for x in result.lesions for i in x.instances} == {i for found in marked.values() for i in found}
    assert {x.label for x in result.lesions} == {"ggo"}
    assert [x.score for x in result.lesions] == sorted((x.score for x in result.lesions), reverse=True)
    for index, found in marked.items():
        union = np.zeros(volume.stored.shape[1:], bool)
        for instance in found:
            union |= instance.mask.full(union.shape)
        assert result.lesion_area[index] == pytest.approx(union.sum() * 16.0)
    assert all(x.volume_ml > 0 and x.diameter_mm > 0 for x in result.lesions)


def test_the_result_survives_the_store(run, volume, classifier, detector):
    data = to_dict(result_of(run(volume, classifier, detector)))
    assert to_dict(from_dict(json.loads(json.dumps(data, allow_nan=False)))) == data


def test_classification_is_consistent(run, volume, classifier):
    c = result_of(run(volume, classifier)).classification
    assert sum(c.probabilities) == pytest.approx(1.0) and c.model == classifier.info
    assert (c.negative_class, c.threshold, c.score) == ("clear", 0.5, SliceScore.ATTENTION)
    assert c.weights.sum() == pytest.approx(1.0, abs=1e-5)
    net = classifier.build()
    logits = c.evidence.sum(axis=0) + net.aggregator.head.bias.numpy()
    np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(), c.probabilities, atol=1e-5)


def test_classification_equals_the_net_on_the_whole_study(run, volume, classifier):
    from ctviewer.models.preprocess import net_input, study_order

    c = result_of(run(volume, classifier)).classification
    order = study_order(volume)
    images = net_input(volume, order, classifier.metadata.preprocessing)
    with torch.inference_mode():
        out = classifier.build()(images[None])
    np.testing.assert_allclose(c.weights[order], out.attention[0], atol=1e-5)
    np.testing.assert_allclose(c.probabilities, out.logits[0].double().softmax(0), atol=1e-5)


@pytest.mark.parametrize(("aggregator", "score"), [("max_pool", SliceScore.PROBABILITY), ("lstm", SliceScore.NONE)])
def test_what_is_no_attention_is_not_called_so(run, volume, make_classifier, detector, aggregator, score):
    events = run(volume, make_classifier(aggregator), detector)
    c = result_of(events).classification
    segmented = [e.slice_index for e in events if isinstance(e, SliceSegmented)]
    assert c.score is score and c.evidence is None
    if score is SliceScore.NONE:
        assert np.isnan(c.weights).all() and segmented == list(volume.geometry.display_order)
    else:
        assert ((c.weights >= 0) & (c.weights <= 1)).all() and segmented == list(c.ranking())


def test_slice_probability_without_a_negative_class_is_that_of_the_top_class(run, volume, make_classifier):
    c = result_of(run(volume, make_classifier("max_pool", negative=""))).classification
    assert ((c.weights >= 1 / 3) & (c.weights <= 1)).all()


def test_the_classifier_alone(run, volume, classifier):
    events = run(volume, classifier)
    result = result_of(events)
    assert kinds(events) == ["SuitabilityChecked", "StudyClassified", "Done"]
    assert result.lesions == () and np.isnan(result.lesion_area).all()
    assert result.provenance.models == (classifier.info,)


def test_the_detector_alone_goes_head_to_feet(run, volume, detector):
    events = run(volume, None, detector)
    assert kinds(events) == ["SuitabilityChecked", "SliceSegmented", "Done"]
    assert [e.slice_index for e in events if isinstance(e, SliceSegmented)] == list(volume.geometry.display_order)
    assert result_of(events).classification is None
    assert np.isfinite(result_of(events).lesion_area).all()


def test_no_bundle_is_refused(run, volume):
    with pytest.raises(InputError):
        run(volume)


def test_a_series_that_still_loads_is_refused(run, volume_of, classifier):
    loading = volume_of(changes={"loaded": np.arange(12) < 11})
    with pytest.raises(InputError, match="still loading"):
        run(loading, classifier)


def test_outside_the_limits_there_is_no_number(run, volume_of, classifier, detector):
    stored = volume_of().stored[:4]
    events = run(volume_of(stored), classifier, detector)
    assert [type(e) for e in events] == [SuitabilityChecked, Abstained]
    assert events[0].suitability.abstains and events[1].suitability is events[0].suitability
    assert events[0].suitability.reasons == ("There are 4 slices; the model takes 6 to 40.",)


def test_abstaining_of_one_model_ends_the_analysis(run, volume, make_detector, classifier):
    narrow = dataclasses.replace(classifier.metadata.input_limits, slices=(100, 200))
    assert [type(e) for e in run(volume, classifier, make_detector(narrow))] == [SuitabilityChecked, Abstained]


def test_the_chunk_size_changes_nothing(run, volume, classifier, detector):
    one, seven = (
        result_of(run(volume, classifier, detector, dataclasses.replace(FLOAT32, chunk=chunk))) for chunk in (1, 7)
    )
    np.testing.assert_allclose(one.classification.weights, seven.classification.weights, atol=1e-5)
    np.testing.assert_allclose(one.classification.evidence, seven.classification.evidence, atol=1e-5)
    np.testing.assert_allclose(one.lesion_area, seven.lesion_area)
    assert [x.instances for x in one.lesions] == [x.instances for x in seven.lesions]


def test_measured_chunks_give_the_same(run, volume, classifier):
    fixed = result_of(run(volume, classifier)).classification
    measured = result_of(run(volume, classifier, settings=dataclasses.replace(FLOAT32, chunk=0))).classification
    np.testing.assert_allclose(measured.weights, fixed.weights, atol=1e-5)


def test_measured_precision_stays_within_rounding(run, volume, classifier, detector):
    auto = result_of(run(volume, classifier, detector, AnalysisSettings(device="cpu")))
    exact = result_of(run(volume, classifier, detector))
    assert set(auto.provenance.precision.split(", ")) <= {"float32", "bfloat16"}
    np.testing.assert_allclose(auto.classification.probabilities, exact.classification.probabilities, atol=0.02)


def test_a_reversed_series_gives_the_same_per_patient_position(run, volume_of, classifier, detector):
    """The same patient, stored turned over: columns to the patient's right, so that the normal points to the feet."""
    volume = volume_of()
    turned = volume_of(volume.stored[::-1, :, ::-1].copy(), z=np.arange(12)[::-1] * 2.0, row_cosines=(-1.0, 0.0, 0.0))
    assert turned.geometry.normal[2] == -1.0 and turned.geometry.locations[0] < turned.geometry.locations[-1]
    a, b = result_of(run(volume, classifier, detector)), result_of(run(turned, classifier, detector))
    np.testing.assert_allclose(b.classification.weights[::-1], a.classification.weights, atol=1e-6)
    np.testing.assert_allclose(b.classification.probabilities, a.classification.probabilities, atol=1e-6)
    np.testing.assert_allclose(b.lesion_area[::-1], a.lesion_area)
    for x, y in zip(a.lesions, b.lesions, strict=True):
        assert x.volume_ml == pytest.approx(y.volume_ml) and x.side == y.side and x.label == y.label


def test_slices_that_failed_are_left_out_and_told(run, volume_of, classifier, detector):
    failed = np.isin(np.arange(12), (3, 7))
    damaged = volume_of(changes={"failed": failed})
    events = run(damaged, classifier, detector)
    texts = [e.text for e in events if isinstance(e, Message)]
    assert texts == ["2 slices could not be read and are not part of the analysis: Se 3 / Im 4, Se 3 / Im 8."]
    result = result_of(events)
    assert list(np.isnan(result.classification.weights)) == list(failed)
    assert list(np.isnan(result.classification.evidence).all(axis=1)) == list(failed)
    assert list(np.isnan(result.lesion_area)) == list(failed)
    assert not {e.slice_index for e in events if isinstance(e, SliceSegmented)} & {3, 7}
    assert result.suitability.warnings


def test_closing_at_any_yield_ends_it_and_leaves_no_thread(volume, classifier, detector, cache):
    settings = dataclasses.replace(FLOAT32, chunk=12)  # few steps: each is a whole analysis

    def steps():
        return analyse(volume, classifier, detector, settings, cache)

    list(steps())  # nets are built once, which has events of its own
    count = len(list(steps()))
    before = threading.active_count()
    for stop in range(1, count + 1):
        some = steps()
        for _ in range(stop):
            next(some)
        some.close()
        assert threading.active_count() == before
    assert result_of(list(steps()))


def test_nothing_is_written(run, volume, classifier, detector, cache):
    stored, before = volume.stored.copy(), {}
    for bundle in (classifier, detector):
        net = cache.get(bundle, torch.device("cpu"))
        before[bundle.key] = {k: v.clone() for k, v in net.state_dict().items()}
    run(volume, classifier, detector)
    np.testing.assert_array_equal(volume.stored, stored)
    for bundle in (classifier, detector):
        net = cache.get(bundle, torch.device("cpu"))
        assert not net.training
        assert all(torch.equal(v, before[bundle.key][k]) for k, v in net.state_dict().items())


def test_a_second_run_gives_the_same_and_builds_nothing(volume, classifier, detector, monkeypatch):
    own = NetCache()
    first = result_of(list(analyse(volume, classifier, detector, FLOAT32, own)))
    monkeypatch.setattr(type(classifier), "build", lambda self: pytest.fail("built twice"))
    second = result_of(list(analyse(volume, classifier, detector, FLOAT32, own)))
    np.testing.assert_array_equal(first.classification.weights, second.classification.weights)
    assert first.lesions == second.lesions


def test_values_that_are_not_finite_are_refused(volume, classifier):
    class Broken(NetCache):
        def get(self, bundle, device):
            net = bundle.build()
            net.aggregator.head.bias.fill_(float("nan"))
            return net

    with pytest.raises(DeviceError, match="not finite"):
        list(analyse(volume, classifier, None, FLOAT32, Broken()))


def test_weights_that_do_not_fit_are_refused_in_words(volume, classifier):
    metadata = dataclasses.replace(classifier.metadata, net={"encoder_options": {"width": 24}})
    with pytest.raises(BundleError):
        list(analyse(volume, dataclasses.replace(classifier, metadata=metadata), None, FLOAT32, NetCache()))


def test_what_crosses_a_thread_holds_no_tensor(run, volume, classifier, detector):
    def look(thing):
        assert not isinstance(thing, torch.Tensor)
        if dataclasses.is_dataclass(thing):
            for item in dataclasses.fields(thing):
                look(getattr(thing, item.name))
        elif isinstance(thing, tuple):
            for each in thing:
                look(each)

    for event in run(volume, classifier, detector):
        look(event)
