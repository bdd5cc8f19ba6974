"""Tabs that plugins bring: built inside the page, and left out with their plugin named when that fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import Context, get_blocks_context

from toolkit.plugins.guard import MISSING
from toolkit.plugins.in_time import in_time
from toolkit.plugins.watchdog import SECONDS

if TYPE_CHECKING:
    from toolkit.plugins.states import Plugin
    from toolkit.studio import Studio


def plugin_tabs(studio: Studio) -> list[tuple[str, str, Callable[[Studio], None]]]:
    """(id, title, build) of every tab of the active plugins, in their order; one that can't be imported is blamed."""
    found: list[tuple[int, str, str, Callable[[Studio], None]]] = []
    for plugin in studio.plugins.registry.plugins:
        tabs = studio.plugins.guard.call(plugin, in_time, SECONDS, studio.plugins.registry.load_tabs, plugin)
        for tab in () if tabs is MISSING else tabs:
            name = f"{plugin.name}-{tab.name}".replace("_", "-")
            found.append((tab.order, name, tab.label, _guarded(plugin, tab)))
    return [(name, title, build) for _, name, title, build in sorted(found, key=lambda one: one[:2])]


def _guarded(plugin: Plugin, tab: Any) -> Callable[[Studio], None]:
    def build(studio: Studio) -> None:
        place, config = Context.block, get_blocks_context()
        before = list(place.children), set(config.blocks), set(config.fns)
        if studio.plugins.guard.call(plugin, in_time, SECONDS, tab.build, studio) is not MISSING:
            return
        # What it made before it failed goes with it: half a page would look like a whole one.
        Context.block, place.children = place, before[0]
        for made, kept in ((config.blocks, before[1]), (config.fns, before[2])):
            for number in made.keys() - kept:
                del made[number]
        gr.Markdown(f"“{tab.label}” of the plugin {plugin.title} could not be built. The Plugins page says why.")

    return build
