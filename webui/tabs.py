"""The page's tabs: three ways to begin a picture share one desk, every other tab has a page of its own.

A tab with a page is built once per studio, inside a column that the page's scripts show when the tab is chosen
(assets/js/tabs.js). Its title reaches the page as text through the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from webui.models_tab import build_models
from webui.plugin_tabs import plugin_tabs
from webui.view import shell

if TYPE_CHECKING:
    from toolkit.studio import Studio


PREFIX = "lm-page-"


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab with a page of its own; `build` puts its parts where it is called, inside a Gradio column.

    `id` is lower-case words with hyphens and unique; only the owner sees a tab that is `owner_only`, and routes
    behind it must check that themselves.
    """

    id: str
    title: str
    build: Callable[[Studio], None]
    owner_only: bool = False


def page_tabs(studio: Studio) -> list[Tab]:
    """Every tab with a page of its own, in the order they stand in: those of plugins, then the plugins themselves."""
    brought = [Tab(name, title, build) for name, title, build in plugin_tabs(studio)]
    return [*brought, Tab("models", "Models", build_models), Tab("plugins", "Plugins", lambda _: shell("plugins"))]


def built_tabs(page: gr.Blocks) -> frozenset[str]:
    """The ids of the tabs whose pages are in `page`; what is switched on later has its page from the next start on."""
    names = (str(block.elem_id or "") for block in page.blocks.values())
    return frozenset(name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX))


def build_pages(studio: Studio) -> None:
    """Put the page of every tab into the Blocks that are being built."""
    for tab in page_tabs(studio):
        with gr.Column(elem_id=f"{PREFIX}{tab.id}", elem_classes="lm-page-tab"):
            tab.build(studio)
