import pytest
import torch
from torch import nn

from ctviewer.core.errors import DeviceError, InputError
from ctviewer.core.events import Message
from ctviewer.inference import AnalysisSettings, NetCache
from ctviewer.inference import device as devices
from ctviewer.inference.device import CPU, DeviceMemory, choose_device, choose_precision, describe
from ctviewer.inference.engine import Engine, _next_size
from ctviewer.models.preprocess import net_input

FLOAT32 = AnalysisSettings(device="cpu", precision="float32")


@pytest.fixture
def gpu(monkeypatch):
    """Make engines believe in a GPU with room for so many slices; gives the sizes of the batches that it was fed."""

    def install(room, error=None):
        batches = []
        error = error or torch.OutOfMemoryError("CUDA out of memory")
        pretended = torch.device("cuda", 0)

        def run(self, call, batch):
            batches.append((self.device.type, len(batch)))
            if self.device == pretended and len(batch) > room:
                raise error
            with torch.inference_mode():
                return call(self._cache.get(self.bundle, CPU), batch)

        monkeypatch.setattr("ctviewer.inference.engine.choose_device", lambda _: pretended)
        monkeypatch.setattr(Engine, "_run", run)
        monkeypatch.setattr("ctviewer.inference.engine.free_memory", lambda device: None)
        return batches

    return install


def means(net, batch):
    return batch.mean(dim=(1, 2, 3))


def collect(engine, volume, indices, most=8):
    out, messages = {}, []
    for chunk in engine.chunks(volume, indices, means, most):
        if isinstance(chunk, Message):
            messages.append(chunk.text)
        else:
            assert len(chunk.indices) <= most
            out.update(zip(chunk.indices, chunk.output.tolist(), strict=True))
    return out, messages


def expected(volume, bundle, indices):
    return {i: float(means(None, net_input(volume, [i], bundle.metadata.preprocessing))) for i in indices}


@pytest.mark.parametrize("chunk", [0, 1, 5, 100])
def test_every_slice_once_and_in_order(volume, classifier, cache, chunk):
    order = [7, 3, 11, 0, 1, 2]
    engine = Engine(classifier, AnalysisSettings("cpu", "float32", chunk), cache)
    out, messages = collect(engine, volume, order)
    assert list(out) == order and messages == []
    assert out == pytest.approx(expected(volume, classifier, order))


def test_short_gpu_memory_means_smaller_chunks_and_no_slice_is_lost(volume, classifier, cache, gpu):
    batches = gpu(room=3)
    engine = Engine(classifier, AnalysisSettings(precision="float32"), cache)
    out, messages = collect(engine, volume, list(range(12)))
    assert list(out) == list(range(12)) and out == pytest.approx(expected(volume, classifier, range(12)))
    assert messages == [
        "The GPU's memory is short; the analysis goes on with 4 slices at a time.",
        "The GPU's memory is short; the analysis goes on with 2 slices at a time.",
    ]
    sizes = [size for _, size in batches]
    assert sizes[:4] == [2, 8, 4, 2] and max(sizes[3:]) == 2 and engine.device.type == "cuda"


@pytest.fixture
def pretended_cuda(monkeypatch):
    """torch.cuda's memory figures: 1000 free on the device, 300 kept by torch of which 200 are in use, `peak` at most."""

    def install(peak):
        figures = {
            "is_available": lambda: True,
            "reset_peak_memory_stats": lambda _device: None,
            "memory_allocated": lambda _device: 200,
            "memory_reserved": lambda _device: 300,
            "max_memory_allocated": lambda _device: peak,
            "mem_get_info": lambda _device: (1000, 8000),
        }
        for name, figure in figures.items():
            monkeypatch.setattr(torch.cuda, name, figure)
        return DeviceMemory(torch.device("cuda", 0))

    return install


@pytest.mark.parametrize(("peak", "fits"), [(240, 32), (400, 8), (5000, 1), (200, 32)])
def test_the_batch_follows_the_free_memory(pretended_cuda, peak, fits):
    memory = pretended_cuda(peak)
    memory.begin()
    assert memory.fits(2, 32) == fits  # 80 % of 1100 free bytes, by what each of two slices took


def test_on_the_cpu_nothing_limits_the_batch():
    memory = DeviceMemory(CPU)
    memory.begin()
    assert memory.fits(2, 32) == 32


def test_a_batch_is_no_larger_than_memory_allows(volume, classifier, cache, gpu, monkeypatch):
    batches = gpu(room=100)
    monkeypatch.setattr(DeviceMemory, "fits", lambda self, count, most: 3)
    engine = Engine(classifier, AnalysisSettings(precision="float32"), cache)
    out, messages = collect(engine, volume, list(range(12)))
    assert list(out) == list(range(12)) and messages == []
    assert max(size for _, size in batches) == 3


def test_without_room_for_one_slice_the_cpu_takes_over(volume, classifier, cache, gpu):
    batches = gpu(room=0)
    engine = Engine(classifier, AnalysisSettings(precision="float32"), cache)
    out, messages = collect(engine, volume, list(range(12)))
    assert list(out) == list(range(12))
    assert messages[-1] == "The GPU's memory does not suffice; the analysis goes on with the CPU."
    assert engine.device == CPU and batches[-1][0] == "cpu"


def test_a_gpu_that_fails_is_replaced_by_the_cpu(volume, classifier, cache, gpu):
    gpu(room=0, error=RuntimeError("CUDA error: no kernel image is available"))
    engine = Engine(classifier, AnalysisSettings(precision="float32"), cache)
    out, messages = collect(engine, volume, [4, 5])
    assert list(out) == [4, 5]
    assert messages == ["The GPU failed; the analysis goes on with the CPU."]


def test_a_single_run_falls_back_too(classifier, cache, gpu):
    gpu(room=0)
    engine = Engine(classifier, AnalysisSettings(precision="float32"), cache)
    steps = engine.run(means, torch.ones(1, 1, 2, 2))
    assert "CPU" in next(steps).text
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value.tolist() == [1.0] and engine.device == CPU


def test_a_gpu_without_room_for_the_net(classifier, monkeypatch):
    class Full(NetCache):
        def get(self, bundle, device):
            if device.type == "cuda":
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().get(bundle, device)

    monkeypatch.setattr("ctviewer.inference.engine.choose_device", lambda _: torch.device("cuda", 0))
    monkeypatch.setattr("ctviewer.inference.engine.free_memory", lambda device: None)
    engine = Engine(classifier, AnalysisSettings(precision="float32"), Full())
    (message,) = engine.load(lambda net, batch: net.encode(batch))
    assert "CPU" in message.text and engine.device == CPU and engine.precision == "float32"


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: ...")])
def test_no_memory_on_the_cpu_is_said_in_words(volume, classifier, cache, error):
    def fail(net, batch):
        raise error

    with pytest.raises(DeviceError, match="memory does not suffice"):
        list(Engine(classifier, FLOAT32, cache).chunks(volume, [0], fail, 1))


def test_other_errors_on_the_cpu_are_not_hidden(volume, classifier, cache):
    def fail(net, batch):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        list(Engine(classifier, FLOAT32, cache).chunks(volume, [0], fail, 1))


@pytest.mark.parametrize(
    ("size", "seconds", "expected"), [(2, 0.01, 8), (8, 0.25, 8), (8, 1.0, 2), (1, 9.0, 1), (40, 0.1, 64), (2, 0.0, 8)]
)
def test_chunks_grow_and_shrink_towards_a_quarter_of_a_second(size, seconds, expected):
    assert _next_size(size, seconds, 64) == expected


# device and precision


def test_the_cpu_where_there_is_no_cuda_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == CPU and describe(CPU) == "cpu"
    with pytest.raises(InputError):
        choose_device("cuda")


def test_cuda_where_there_is_a_device_unless_the_cpu_is_wanted(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda", 0)
    assert choose_device("cpu") == CPU


@pytest.fixture
def measured(monkeypatch):
    """Pretend run times per precision, and start without earlier measurements."""

    def install(**seconds):
        def timed(forward, device, precision):
            with torch.inference_mode(), devices.precision_of(precision, device):
                return forward().float(), seconds[precision]

        monkeypatch.setattr(devices, "_measured", {})
        monkeypatch.setattr(devices, "_timed", timed)

    return install


def net_forward():
    torch.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8)), torch.randn(2, 64)
    return lambda: net(x)


def test_bfloat16_where_it_is_clearly_faster_and_right(measured):
    measured(float32=2.0, bfloat16=1.0)
    assert choose_precision("a", CPU, net_forward()) == "bfloat16"
    measured(float32=1.1, bfloat16=1.0)
    assert choose_precision("a", CPU, net_forward()) == "float32"


def test_float32_where_bfloat16_is_wrong(measured):
    measured(float32=2.0, bfloat16=1.0)
    outputs = iter([torch.ones(4), torch.ones(4) * 1.1])
    assert choose_precision("a", CPU, lambda: next(outputs)) == "float32"
    outputs2 = iter([torch.ones(4), torch.full((4,), float("nan"))])
    assert choose_precision("b", CPU, lambda: next(outputs2)) == "float32"


def test_precision_is_measured_once(measured):
    measured(float32=2.0, bfloat16=1.0)
    assert choose_precision("a", CPU, net_forward()) == "bfloat16"
    assert choose_precision("a", CPU, lambda: pytest.fail("measured twice")) == "bfloat16"


def test_times_are_real(monkeypatch):
    monkeypatch.setattr(devices, "_measured", {})
    assert choose_precision("a", CPU, net_forward()) in ("float32", "bfloat16")


@pytest.mark.parametrize("wrong", [{"device": "tpu"}, {"precision": "int8"}, {"chunk": -1}])
def test_unknown_settings_are_refused(wrong):
    with pytest.raises(InputError):
        AnalysisSettings(**wrong)
