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
    done = threading.Event()
    lock = threading.Lock()
    watch = threading.Thread(target=_end, args=(threading.get_ident(), done, lock, seconds), daemon=True)
    try:
        watch.start()
        return work(*args)
    except _TooLong:
        raise PluginError(f"It was not done within {seconds:g} seconds: something in it loops or waits.") from None
    finally:
        _settle(done, lock)


def _settle(done: threading.Event, lock: threading.Lock) -> None:
    """Come back only when nothing is raised any more: what was asked for at the last moment would come later."""
    while True:
        try:
            with lock:
                done.set()
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.get_ident()), None)
            return
        except _TooLong:
            continue


def _end(thread: int, done: threading.Event, lock: threading.Lock, seconds: float) -> None:
    while not done.wait(seconds):
        with lock:
            if done.is_set():
                return
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(_TooLong))
        seconds = RAISES_AGAIN  # it may have been caught
