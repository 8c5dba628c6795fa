from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import imagecodecs
import numpy as np
import psutil
import pytest

import ctviewer
from ctviewer.codecs import CodecError, PixelFormat, processes
from ctviewer.codecs.processes import DecoderLostError

JPEG_LS = "1.2.840.10008.1.2.4.80"
LINUX = sys.platform == "linux"


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE}


def test_a_frame_is_decoded_into_the_given_memory(image, frame):
    out = np.zeros((3, 40, 50), np.int16)
    decoded = processes.decode(JPEG_LS, imagecodecs.jpegls_encode(image()), frame, out[1])
    assert np.shares_memory(decoded, out[1]) and decoded.shape == (40, 50)
    assert np.array_equal(out[1], image())
    assert not out[0].any() and not out[2].any()


def test_words_of_one_byte_come_in_memory_of_their_own(image):
    eight = image(bits=8).astype(np.uint8)
    out = np.zeros((40, 50), np.int16)
    decoded = processes.decode(JPEG_LS, imagecodecs.jpegls_encode(eight), PixelFormat(40, 50, 8, 8, 7, False), out)
    assert decoded.dtype == np.uint8 and np.array_equal(decoded, eight) and not out.any()


def test_refusals_keep_their_words_and_the_process(pool, frame):
    some = pool()
    some.warm_up()
    with pytest.raises(CodecError, match=r"^the data refused$"):
        some.decode("wrong", b"r", frame)
    before = _children()
    assert np.all(some.decode("wrong", b"x", frame) == ord("x"))
    assert _children() == before


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"s", "crashed"),
        (b"a", "crashed"),
        pytest.param(b"m", "memory", marks=pytest.mark.skipif(not LINUX, reason="RLIMIT_AS")),
    ],
)
def test_a_lost_process_costs_one_frame(pool, frame, data, words):
    some = pool()
    assert np.all(some.decode("wrong", b"x", frame) == ord("x"))
    with pytest.raises(DecoderLostError, match=words):
        some.decode("wrong", data, frame)
    assert np.all(some.decode("wrong", b"y", frame) == ord("y"))


def test_native_code_that_never_comes_back_is_ended(pool, frame):
    some = pool(seconds=0.4)
    some.decode("wrong", b"x", frame)
    with pytest.raises(DecoderLostError, match="took longer than"):
        some.decode("wrong", b"h", frame)
    assert np.all(some.decode("wrong", b"y", frame) == ord("y"))


def test_a_process_hurt_by_an_earlier_frame_costs_no_other_frame(pool, frame):
    some = pool()
    assert np.all(some.decode("wrong", b"2", frame) == ord("2"))
    assert np.all(some.decode("wrong", b"2", frame) == ord("2")), "crashes in the used process, not in a fresh one"


def test_what_libraries_print_does_not_get_between(pool, frame):
    assert np.all(pool().decode("wrong", b"p", frame) == ord("p"))


def test_an_image_of_another_size_is_refused(pool, frame):
    with pytest.raises(CodecError, match="another size"):
        pool().decode("wrong", b"w", frame)


def test_a_process_that_says_nonsense_is_replaced_not_believed(pool, frame, tmp_path):
    script = tmp_path / "liar.py"
    script.write_text(
        "import sys\n"
        "from ctviewer.codecs import wire\n"
        "sys.stdout.buffer.write(wire.Answer(wire.READY).pack()); sys.stdout.buffer.flush()\n"
        "sys.stdin.buffer.read(200)\n"
        "sys.stdout.buffer.write(wire.Answer(wire.IMAGE, '<u2', (99999, 99999), 99999 * 99999 * 2).pack())\n"
    )
    some = pool(command=[sys.executable, "-S", "-P", str(script)])
    with pytest.raises(DecoderLostError, match="crashed"):
        some.decode("wrong", bytes(4000), frame)


def test_a_process_killed_from_outside_is_replaced(pool, frame):
    some = pool()
    before = _children()
    some.decode("wrong", b"x", frame)
    (pid,) = _children() - before
    psutil.Process(pid).kill()
    assert np.all(some.decode("wrong", b"y", frame) == ord("y"))


def test_many_threads_share_few_processes(pool, frame):
    some, results = pool(2), []
    before = _children()

    def work(number: int) -> None:
        for letter in (b"x", b"a", b"y"):
            try:
                results.append(bool(np.all(some.decode("wrong", letter, frame) == letter[0])))
            except DecoderLostError:
                results.append(letter == b"a")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 9 and all(results)
    assert len(_children() - before) <= 2


def test_shutting_down_ends_the_processes_and_the_next_frame_starts_one(pool, frame):
    some = pool(2)
    before = _children()
    some.warm_up()
    assert len(_children() - before) == 2
    some.shut_down()
    assert _children() == before
    assert np.all(some.decode("wrong", b"x", frame) == ord("x"))


def test_shutting_down_while_a_frame_is_decoded(pool, frame):
    some, seen = pool(), []
    some.decode("wrong", b"x", frame)

    def hang() -> None:
        try:
            some.decode("wrong", b"h", frame)
        except DecoderLostError as error:
            seen.append(str(error))

    before = _children()
    thread = threading.Thread(target=hang)
    thread.start()
    while not seen and thread.is_alive():  # it asks a fresh process once the first is gone
        some.shut_down()
        time.sleep(0.05)
    thread.join()
    assert len(seen) == 1 and not _children() - before


def test_where_no_process_can_be_started_the_program_decodes_itself(pool, image, frame, expected_logs):
    for command in (["/nowhere/python"], [sys.executable, "-c", "raise SystemExit(3)"]):
        decoded = pool(command=command).decode(JPEG_LS, imagecodecs.jpegls_encode(image()), frame)
        assert np.array_equal(decoded, image())
    assert len(expected_logs) == 2 and "cannot be started" in expected_logs[0].getMessage()


def test_once_processes_worked_a_frame_never_comes_into_the_program(pool, frame, tmp_path):
    some = pool()
    some.decode("wrong", b"x", frame)
    (tmp_path / "crashing_worker.py").unlink()
    with pytest.raises(DecoderLostError, match="could be started"):
        some.decode("wrong", b"a", frame)


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_children_end_with_their_parent(how):
    ending = "os.kill(os.getpid(), 9)" if how == "kill" and os.name == "posix" else "os._exit(0)"
    code = (
        "import os, psutil\n"
        "from ctviewer.codecs import processes\n"
        "processes.warm_up()\n"
        "print(*(c.pid for c in psutil.Process().children()), flush=True)\n"
        f"{ending}\n"
    )
    home = str(Path(ctviewer.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=home)
    pids = [int(pid) for pid in done.stdout.split()]
    assert pids
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(_runs(pid) for pid in pids):
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_modules_in_the_working_folder_are_not_imported(tmp_path, monkeypatch, image, frame):
    """It may be a folder of images that somebody else filled."""
    (tmp_path / "numpy.py").write_text("raise SystemExit('taken from the working folder')")
    monkeypatch.chdir(tmp_path)
    processes.shut_down()
    decoded = processes.decode(JPEG_LS, imagecodecs.jpegls_encode(image()), frame)
    assert np.array_equal(decoded, image())


def test_children_import_little():
    code = "import sys; from ctviewer.codecs import worker; print(*sorted(m for m in sys.modules if '.' not in m))"
    home = str(Path(ctviewer.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=home)
    assert not {"pydicom", "PySide6", "torch", "scipy", "PIL", "gdcm"} & set(done.stdout.split())


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4"])
def test_pictures(image, dtype):
    picture = image(bits=8).astype(dtype)
    decoded = processes.decode_picture("tiff", imagecodecs.tiff_encode(picture))
    assert decoded.dtype == picture.dtype and np.array_equal(decoded, picture)
    if dtype in ("u1", "u2"):
        assert np.array_equal(processes.decode_picture("png", imagecodecs.png_encode(picture)), picture)


def test_pages_of_a_picture(tmp_path, image):
    from PIL import Image

    pages = [Image.fromarray(image(seed=seed)) for seed in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    data = (tmp_path / "pages.tif").read_bytes()
    assert all(np.array_equal(processes.decode_picture("tiff", data, page), image(seed=page)) for page in range(3))
    with pytest.raises(CodecError):
        processes.decode_picture("tiff", data, 3)


def test_pictures_that_are_damaged_or_too_large_are_refused(image):
    data = imagecodecs.png_encode(image())
    for broken in (b"", data[:20], data[: len(data) // 2], data[:30] + bytes(200) + data[230:]):
        with pytest.raises(CodecError):
            processes.decode_picture("png", broken)
    with pytest.raises(CodecError, match=r"too many \(40 x 50\)"):
        processes.decode_picture("png", data, most_pixels=1000)
