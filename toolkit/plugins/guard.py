"""Calls plugins without trusting them: what one raises is kept for the owner, and after three errors it is off."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from toolkit.errors import Cancelled, RequestError
from toolkit.plugins.states import ERRORS_ALLOWED, Plugin, State, sentence

log = logging.getLogger(__name__)

MISSING = object()
"""What `Guard.call` returns when the plugin failed; None is an answer."""


class Guard:
    """`on_off(plugin)` is called when a plugin has used up its errors, `on_blame(plugin)` for each of them."""

    def __init__(self, on_off: Callable[[Plugin], None]) -> None:
        self._on_off = on_off
        self.on_blame: Callable[[Plugin], None] | None = None
        self._lock = threading.Lock()

    def call(self, plugin: Plugin, work: Callable[..., Any], *args: Any) -> Any:
        """What `work(*args)` returns, MISSING when it raises; RequestError and Cancelled are meant and pass."""
        try:
            return work(*args)
        except (RequestError, Cancelled):
            raise
        except Exception as error:  # the plugin guard: a plugin may raise anything
            self.blame(plugin, sentence(error, plugin.path), traceback.format_exc())
            return MISSING

    def hook(self, plugin: Plugin, implementation: Any, args: Mapping[str, Any]) -> Any:
        """`call` for a pluggy implementation, with the arguments it names."""
        return self.call(plugin, implementation.function, *[args[name] for name in implementation.argnames])

    def blame(self, plugin: Plugin, reason: str, trace: str = "") -> None:
        """Count an error against a plugin and keep it; the third one switches the plugin off."""
        with self._lock:
            plugin.errors += 1
            plugin.reason, plugin.traceback = reason, trace
            over = plugin.errors >= ERRORS_ALLOWED and plugin.state is State.ACTIVE
            if over:
                plugin.fail(f"It was switched off after {plugin.errors} errors; the last one: {reason}", trace)
        if self.on_blame is not None:
            self.on_blame(plugin)
        log.error("the plugin “%s” failed: %s", plugin.name, reason)
        log.debug("%s", trace)  # for the owner it stands on the Plugins page
        if over:
            self._on_off(plugin)
