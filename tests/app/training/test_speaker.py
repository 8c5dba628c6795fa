import io

import pytest

from ctviewer.app.train_speaker import Console, Speaker, without_names
from ctviewer.core.events import Message, Progress
from ctviewer.training.events import EpochDone, RunBegun, RunFailed, RunFinished, StepDone
from ctviewer.training.run_record import read_events


class Terminal(io.StringIO):
    def isatty(self):
        return True


STEP = StepDone(0, 1, 3, 120, 0.5, 1e-3, 0.5, 4000.0, 7)


def shown(events, stream, **options):
    console = Console(stream=stream, **options)
    for event in events:
        console(event)
    return stream.getvalue()


def test_a_terminal_gets_one_line_that_is_drawn_anew():
    text = shown(
        [Progress("Reading studies", 0, 2), Progress("Reading studies", 1, 2), STEP, Message("Hm.")], Terminal()
    )
    assert text.count("\n") == 1 and text.endswith("ctviewer: Hm.\n")
    assert "epoch 1, step 3 of 120, loss 0.5000, 1 h 7 min left" in text
    assert "\r" + " " * 40 in text, "the line is wiped before a sentence"


def test_a_file_gets_stages_and_epochs():
    nan = float("nan")
    events = [
        Progress("Reading studies", 0, 2), Progress("Reading studies", 1, 2),
        RunBegun(120, 11, "CPU", "float32", 17, 20, 4, 0), STEP, EpochDone(1, 2, 12, 0.5, 0.25, {"AUC": 0.75}, True),
        EpochDone(1, 3, 12, 0.5, nan), RunFinished("/b/toy", "toy 1.0.0", True, {"accuracy": 0.5}),
    ]  # fmt: skip
    assert shown(events, io.StringIO()).splitlines() == [
        "Reading studies",
        "ctviewer: Training on 20 studies, choosing by 4, judging by 0; 11 trainings, the last one on all; 120 steps on "
        "CPU in float32, going on from step 17.",
        "ctviewer: Fold 2 of 11, epoch 2 of 12: loss 0.5000, validation loss 0.2500, AUC 0.750 (best so far)",
        "ctviewer: Fold 2 of 11, epoch 3 of 12: loss 0.5000",
        "ctviewer: Stopped; the best state so far was kept: toy 1.0.0, in /b/toy; its card there, "
        "README.md, gives the intervals.",
        "ctviewer:   accuracy: 0.500",
    ]
    assert shown(events[:2], io.StringIO(), quiet=True) == ""


def test_who_is_not_heard_any_more_is_told_once_and_all_is_kept(tmp_path):
    lost = []

    def broken(event):
        raise BrokenPipeError

    speaker = Speaker(broken, lambda: lost.append(1))
    speaker.folder = tmp_path
    speaker.say(Message("a"))
    speaker.say(Progress("b", 0, 1))
    speaker.say_failed(RunFailed("c", True))
    speaker.say_failed(RunFailed("d", True))
    assert lost == [1]
    assert read_events(tmp_path) == (Message("a"), RunFailed("c", True))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("The study Meier^Anna could not be read.", "The study … could not be read."),
        ("The studies Meier^Anna and Meier^Anna2 share slices.", "The studies … and … share slices."),
        ("/data/Meier^Anna/1.dcm is damaged.", "/data/…/1.dcm is damaged."),
        ("The study 7 has 7 slices.", "The study … has 7 slices."),
        ("All is well.", "All is well."),
    ],
)
def test_names_of_studies_are_not_kept(tmp_path, text, kept):
    assert without_names(text, ("7", "Meier^Anna", "Meier^Anna2")) == kept
    heard = []
    speaker = Speaker(heard.append)
    speaker.folder, speaker.names = tmp_path, ("7", "Meier^Anna", "Meier^Anna2")
    speaker.say(Message(text))
    assert heard == [Message(text)] and read_events(tmp_path) == (Message(kept),)
