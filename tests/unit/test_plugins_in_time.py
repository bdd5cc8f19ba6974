"""Code that takes too long is ended, whatever it catches; code that doesn't is left alone."""

from __future__ import annotations

import threading
import time

import pytest

from toolkit.errors import PluginError
from toolkit.plugins.in_time import in_time


def loops() -> None:
    while True:
        pass


def loops_and_catches() -> None:
    while True:
        try:
            loops()
        except Exception:
            continue


@pytest.mark.parametrize("work", [loops, loops_and_catches])
def test_a_loop_is_ended(work) -> None:
    with pytest.raises(PluginError, match=r"within 0\.2 seconds"):
        in_time(0.2, work)  # that it returns is the proof


def test_what_is_done_in_time_is_not_disturbed() -> None:
    before = threading.active_count()
    assert in_time(5, lambda a, b: a + b, 2, 3) == 5
    with pytest.raises(ZeroDivisionError):
        in_time(5, lambda: 1 / 0)
    for _ in range(200):  # the end of the time and the end of the work meet
        try:
            in_time(0.001, time.sleep, 0.001)
        except PluginError:
            pass
    waited = time.monotonic() + 60  # seconds; it is over as soon as the threads are
    while threading.active_count() > before and time.monotonic() < waited:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_any_thread_can_be_watched() -> None:
    said: list[str] = []

    def watched() -> None:
        try:
            in_time(0.1, loops)
        except PluginError as error:
            said.append(str(error))

    thread = threading.Thread(target=watched)
    thread.start()
    thread.join(60)
    assert said and not thread.is_alive()
