"""Skipping where pictures are drawn one after the other, and between the passes of refined ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from toolkit.engine import passes
from toolkit.engine.inline import InlineEngine
from toolkit.engine.protocol import EngineEvent, EngineJob
from toolkit.engine.skips import AllSkipped, Skips, SkipWishes
from toolkit.geometry import Size
from toolkit.jobs import JobState
from toolkit.starts import Refine

SIZE = Size(64, 64)


@pytest.fixture
def engine(models, listener, monkeypatch) -> Iterator[InlineEngine]:
    """An engine with room for one picture at a time."""
    monkeypatch.setitem(passes._AT_ONCE, "cpu", SIZE.pixels)
    opened = InlineEngine(models, dtype="float32")
    opened.start(listener.on_event, listener.on_death)
    yield opened
    opened.close()


def apart(end: EngineEvent, other: EngineEvent, at: int) -> int:
    pairs = zip(end.pictures[0].rgb, other.pictures[at].rgb, strict=True)
    return max(abs(one - two) for one, two in pairs)


def test_the_picture_that_is_drawn_gives_way_to_the_next_one(engine, listener, tiny_request):
    asked = tiny_request.with_(steps=100, count=2, size=SIZE)
    whole = listener.draw(engine, asked, "whole")
    assert whole.steps == 200
    engine.submit(EngineJob("less", asked))
    listener.wait_for(lambda: any(event.step >= 3 for event in listener.of("less")))
    engine.skip("less")
    listener.wait_for(lambda: any(event.skipped == (0,) for event in listener.of("less")))
    end = listener.end_of("less")
    assert end.state is JobState.FINISHED, end.error
    assert end.skipped == (0,) and len(end.pictures) == 1
    assert end.steps < 200, "the steps of the skipped picture are not waited for"
    assert apart(end, whole, 1) <= 1


def test_a_picture_skipped_in_the_first_pass_has_no_second_one(engine, listener, tiny_request):
    asked = tiny_request.with_(steps=30, count=2, size=SIZE, refine=Refine(1.5, strength=1.0, steps=40))
    whole = listener.draw(engine, asked, "whole")
    assert whole.steps == 140
    engine.submit(EngineJob("less", asked))
    listener.wait_for(lambda: any(event.step >= 2 for event in listener.of("less")))
    engine.skip("less", 1)
    end = listener.end_of("less")
    assert end.state is JobState.FINISHED, end.error
    assert end.skipped == (1,) and end.steps == 70
    assert apart(end, whole, 0) <= 1


def test_what_is_drawn_already_cannot_be_given_up():
    skips = Skips(4)
    skips.drawing = (2, 3)
    skips.skip()
    assert skips.skipped == (2,) and skips.left(range(4)) == [0, 1, 3]
    skips.skip(9)
    skips.check()
    skips.skip(3)
    with pytest.raises(AllSkipped):
        skips.check()
    assert skips.settle((0, 1, 3)) == [0, 1]
    skips.skip(0)
    skips.skip()
    assert skips.skipped == (2, 3)


def test_wishes_hold_what_no_engine_has_answered_yet():
    wishes = SkipWishes(4)
    wishes.ask(None)
    wishes.told((2,))
    wishes.ask(9)
    assert wishes.standing() == (2,)
    wishes.ask(None)
    wishes.ask(3)
    assert wishes.standing() == (0, 2, 3), "nobody can say any more which one was being drawn"
    wishes.told((0, 2, 3))
    wishes.ask(2)
    assert wishes.standing() == wishes.standing() == (0, 2, 3)
