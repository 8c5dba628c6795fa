"""When weights are copied between the branches."""

from __future__ import annotations

import json
import math

from ctviewer.training.engine.one_shot.copying import BEST, PREVIOUS_STEP, Copying


def test_at_the_best_smoothed_loss_and_the_first_time_always() -> None:
    copying = Copying(BEST, smoothing=0.5)
    # smoothed: 4, 3, 4, 3, 2, 2, 1
    assert [copying.seen(loss) for loss in (4, 2, 5, 2, 1, 2, 0)] == [True, True, False, False, True, False, True]
    assert (copying.smoothed, copying.best) == (1.0, 1.0)


def test_without_smoothing_the_loss_itself_counts() -> None:
    copying = Copying(BEST, smoothing=0.0)
    assert [copying.seen(loss) for loss in (3, 2, 2, 1)] == [True, True, False, True]


def test_as_the_reference_does_it() -> None:
    copying = Copying(PREVIOUS_STEP, smoothing=0.9)
    assert all(copying.seen(loss) for loss in (1, 5, 2))


def test_it_is_left_and_taken_up() -> None:
    losses = [math.sin(i) + 2 for i in range(20)]
    whole = Copying(BEST, 0.7)
    expected = [whole.seen(loss) for loss in losses]
    first = Copying(BEST, 0.7)
    said = [first.seen(loss) for loss in losses[:9]]
    second = Copying(BEST, 0.7)
    second.restore(json.loads(json.dumps(first.state())))
    assert said + [second.seen(loss) for loss in losses[9:]] == expected
    empty = Copying(BEST, 0.7)
    empty.restore({})
    assert (empty.smoothed, empty.best) == (None, None)
