"""Ends Python code that takes too long on the thread it runs on: an exception is raised inside of it from another."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

from toolkit.errors import PluginError

RAISES_AGAIN = 0.2


class _TooLong(BaseException):
    """No Exception, so that a plugin that catches all of these in its loop is ended too."""


def in_time(seconds: float, work: Callable[..., Any], *args: Any) -> Any:
    """What `work(*args)` returns; raise PluginError when it isn't done after `seconds`.

    Code that waits outside of Python, in a `sleep` say, is ended once that returns.
    """
    watch = _Watch(threading.get_ident(), seconds)
    value = failure = None
    try:
        watch.start()
        value = work(*args)
    except BaseException as error:  # raised again below, once nothing can be raised from outside any more
        failure = error
    # What the watch asked for at the last moment may come anywhere until it is stopped. Python looks for it where
    # something is called and where a loop turns back, so there is none of that here outside of `try`. Once `ended` is
    # set, one more can be on its way and no other: the watch looks at it before each.
    try:
        try:
            watch.stop()
        except _TooLong:
            watch.ended = True
            watch.stop()
    except _TooLong:
        watch.stop()
    if isinstance(failure, _TooLong):
        raise PluginError(f"It was not done within {seconds:g} seconds: something in it loops or waits.") from None
    if failure is not None:
        raise failure
    return value


class _Watch(threading.Thread):
    """Raises _TooLong in a thread after some seconds, and again when that was caught, until it is stopped."""

    def __init__(self, watched: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self.watched = watched
        self.seconds = seconds
        self.ended = False
        self._woken = threading.Event()
        self._lock = threading.RLock()

    def run(self) -> None:
        seconds = self.seconds
        while not self._woken.wait(seconds):
            with self._lock:
                if self.ended:
                    return
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.watched), ctypes.py_object(_TooLong))
            seconds = RAISES_AGAIN

    def stop(self) -> None:
        """Raise no more, and take back what was asked for and has not come yet; called on the watched thread."""
        with self._lock:
            self.ended = True
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.watched), None)
        self._woken.set()
