"""Tabs of plugins are built with the page, and none of them can stop it."""

from __future__ import annotations

from pathlib import Path

import pytest

import webui.plugin_tabs
from tests.unit.plugin_makers import write
from tests.webui.people import paper_settings
from toolkit.engine.sketch import SketchEngine
from toolkit.jobs import OWNER
from toolkit.studio import Studio
from webui.catalogue import catalogue
from webui.page import build_page
from webui.server import build_app
from webui.tabs import built_tabs, page_tabs

HEAD = "import gradio as gr\nfrom toolkit.plugins.api import Tab, hookimpl\ndef build(studio):\n"
TABS = "\n@hookimpl\ndef register_tabs():\n    yield Tab('it', '{label}', build)\n"
# In the process that tries it first the data folder is another one.
LATER = "    if 'limner-trial' in str(studio.settings.data): return\n    gr.Markdown('half a page')\n"


def test_a_tab_that_loops_while_the_page_is_built_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webui.plugin_tabs, "SECONDS", 0.5)
    for name, body in {"loops": f"{LATER}    while True: pass\n", "fine": "    gr.Markdown('hello from it')\n"}.items():
        (write(tmp_path / "given", name) / "ui.py").write_text(HEAD + body + TABS.format(label=name), "utf-8")
    settings = paper_settings(tmp_path, plugins=[tmp_path / "given"])
    with Studio(settings=settings, engine=SketchEngine(step_seconds=0.01)) as studio:
        page = build_page(studio)
        assert {"loops-it", "fine-it"} <= {tab.id for tab in page_tabs(studio)}
        plugin = studio.plugins.get("loops")
        assert (plugin.errors, "not done within 0.5 seconds" in plugin.reason) == (1, True)
        written = [str(getattr(block, "value", "")) for block in page.blocks.values()]
    assert "hello from it" in written and "half a page" not in written
    assert any("could not be built" in text for text in written)


def test_a_tab_that_is_switched_on_later_waits_for_the_next_start(tmp_path: Path) -> None:
    settings = paper_settings(tmp_path)
    for expected in (False, True):
        with Studio(settings=settings, engine=SketchEngine(step_seconds=0.01)) as studio:
            app = build_app(studio)
            studio.plugins.enable("example_tab")
            tabs = {tab["id"] for tab in catalogue(studio, OWNER, built_tabs(app.blocks))["tabs"]}
            assert ("example-tab-numbers" in tabs) is expected
            assert {"models", "plugins"} <= tabs
