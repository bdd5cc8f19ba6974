"""The Plugins page and what plugins add to the desk, as the owner and as a visitor see them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import opening
from tests.e2e.desk import Desk, Place
from tests.unit.plugin_makers import write
from toolkit.engine.sketch import SketchEngine
from toolkit.jobs import OWNER
from toolkit.settings import load_settings
from toolkit.studio import Studio

GOOD = """
@hookimpl
def register_postprocessors():
    def run(image, options, context):
        return image.point(lambda value: 255 - value) if options["fully"] else image
    yield Postprocessor("negative", "Negative", run, (Toggle("fully", "Fully", True), Number("by", "By", 0.5)))

@hookimpl
def register_settings():
    yield Text("credit", "Credit line")
"""
TABS = """
import gradio as gr
from toolkit.plugins.api import Tab, hookimpl

def good(studio):
    gr.Markdown("Hello from a plugin")

def bad(studio):
    gr.Markdown("half a page")
    raise RuntimeError("the tab broke")

@hookimpl
def register_tabs():
    yield Tab("hello", "Hello", good)
    yield Tab("broken", "Broken", bad)
"""


@pytest.fixture(scope="module")
def place(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    given = tmp_path_factory.mktemp("given")
    write(given, "good", GOOD)
    write(given, "syntax", "def (")
    write(given, "bare", "", manifest=None)
    write(given, "future", "raise SystemExit", manifest="api = 99")
    write(given, "raises", "raise RuntimeError('no such GPU')")
    write(given, "loops", "while True: pass")
    write(given, "twin_a", manifest='api = 1\ntitle = "Twin"')
    write(given, "twin_b", manifest='api = 1\ntitle = "twin"')
    folder = write(given, "tabs", "")
    (folder / "ui.py").write_text(TABS, "utf-8")
    settings = load_settings(data=tmp_path_factory.mktemp("studio"), plugins=[given])
    engine = SketchEngine()
    studio = Studio(settings=settings, engine=engine)
    engine._runner.plugins = studio.plugins
    with opening(browser, studio) as opened:
        yield opened


def card(desk: Desk, name: str):
    return desk.page.locator(f"#lm-plugins [data-plugin={name}]")


def test_one_good_plugin_and_five_bad_ones_are_named_and_the_studio_draws(owner: Desk) -> None:
    owner.draw("a red fish")
    owner.page.get_by_role("tab", name="Plugins").click()
    states = {"good": "active", "syntax": "failed", "bare": "failed", "future": "incompatible", "raises": "failed",
              "loops": "failed"}  # fmt: skip
    for name, state in states.items():
        expect(card(owner, name)).to_have_attribute("data-state", state)
    expect(card(owner, "loops")).to_contain_text("within 5 seconds")
    expect(card(owner, "good").locator(".lm-plugin-adds div").first).to_have_text("Finishing stepsnegative")
    expect(card(owner, "good")).to_contain_text("ms to load")
    expect(card(owner, "raises").locator("pre")).to_contain_text("no such GPU")


def test_plugins_of_one_title_are_told_apart(owner: Desk) -> None:
    owner.page.get_by_role("tab", name="Plugins").click()
    for name, title in (("twin_a", "Twin (twin_a)"), ("twin_b", "twin (twin_b)")):
        expect(card(owner, name).get_by_role("heading")).to_have_text(title)
        expect(card(owner, name).get_by_role("button", name=f"Switch off {title}")).to_be_visible()


def test_a_plugins_tab_is_on_the_page_and_a_broken_one_says_so(owner: Desk) -> None:
    owner.page.get_by_role("tab", name="Hello").click()
    expect(owner.page.get_by_text("Hello from a plugin")).to_be_visible()
    owner.page.get_by_role("tab", name="Broken").click()
    expect(owner.page.get_by_text("could not be built")).to_be_visible()
    expect(owner.page.get_by_text("half a page")).to_have_count(0)


def test_the_owner_switches_and_sets_a_plugin_without_a_restart(owner: Desk, studio: Studio) -> None:
    owner.page.get_by_role("tab", name="Plugins").click()
    good = card(owner, "good")
    good.get_by_label("Credit line").fill("by Ann")
    good.get_by_label("Credit line").press("Tab")
    good.get_by_role("button", name="Keep these settings").click()
    expect(owner.toast.first).to_contain_text("kept")
    assert studio.plugins.settings("good") == {"credit": "by Ann"}
    good.get_by_role("button", name="Switch off").click()
    expect(good).to_have_attribute("data-state", "disabled")
    assert "negative" not in studio.plugins.registry.steps()
    good.get_by_role("button", name="Switch on").click()
    expect(good).to_have_attribute("data-state", "active")
    assert "negative" in studio.plugins.registry.steps()


def test_a_visitor_sees_what_plugins_add_and_changes_nothing(desk: Desk) -> None:
    desk.page.get_by_role("tab", name="Plugins").click()
    expect(card(desk, "good")).to_be_visible()
    expect(card(desk, "raises")).to_have_count(0)
    expect(desk.page.locator("#lm-plugins button")).to_have_count(0)
    answer = desk.context.request.post("/limner/plugins/good", data={"enabled": False})
    assert answer.status == 403
    assert "traceback" not in desk.context.request.get("/limner/plugins").text()


def test_a_finishing_step_is_added_set_and_drawn(owner: Desk, studio: Studio) -> None:
    owner.numbers()
    owner.box("seed").fill("7")
    owner.draw("a green fish")
    plain = newest(studio)
    owner.page.locator("#lm-finish-add").select_option("negative")
    expect(owner.page.locator(".lm-finish-step")).to_have_count(1)
    before = studio.gallery.count(OWNER)
    owner.ask("a green fish")
    expect(owner.page.locator("#lm-tiles button")).to_have_count(before + 1)
    finished = newest(studio)
    assert finished != plain
    assert [step.name for step in studio.gallery.page(OWNER, limit=1)[0].request.finish] == ["negative"]
    turned = Image.open(finished).convert("RGB").point(lambda value: 255 - value)
    assert turned.tobytes() == Image.open(plain).convert("RGB").tobytes()
    owner.page.locator(".lm-finish-step").get_by_label("Fully").uncheck()
    owner.page.locator(".lm-finish-step").get_by_role("button", name="Remove").click()
    expect(owner.page.locator(".lm-finish-step")).to_have_count(0)


def newest(studio: Studio):
    return studio.gallery.page(OWNER, limit=1)[0].path
