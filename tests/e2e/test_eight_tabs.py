"""Eight people draw at the same moment, each in a browser of their own: what the shared engine is for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.e2e.desk import Desk, new_desk
from toolkit.settings import load_settings
from toolkit.studio import Studio
from webui.server import Server, build_app, serving

THINGS = ("heart", "star", "house", "fish", "cup", "tree", "cat", "boat")
STEPS = 40  # long enough that the last tab begins while the first one still draws, on a busy machine too
SECONDS = 150

# Remembers what a person in front of the page sees move, and presses Draw at the given moment.
WATCH = """(at) => {
  const seen = (window.seenMoving = {steps: new Set(), previews: new Set()});
  new MutationObserver(() => {
    seen.steps.add(document.getElementById("lm-status-text").textContent);
    const shown = document.querySelector("#lm-grid img");
    if (shown?.src.startsWith("data:")) seen.previews.add(shown.src);
  }).observe(document.getElementById("lm-stage"), {
    subtree: true, childList: true, characterData: true, attributes: true,
  });
  setTimeout(() => document.getElementById("lm-draw").click(), at - Date.now());
}"""
SEEN = """() => ({
  steps: [...window.seenMoving.steps].filter((text) => text.startsWith("Step ")).length,
  previews: window.seenMoving.previews.size,
})"""


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    settings = load_settings(data=tmp_path_factory.mktemp("eight"))
    with Studio(settings=settings, engine="process") as opened:
        opened.engine.warm("limner-starter")
        yield opened


@pytest.fixture(scope="module")
def server(studio: Studio) -> Iterator[Server]:
    with serving(build_app(studio)) as running:
        yield running


@pytest.fixture
def desks(browser: Browser, server: Server) -> Iterator[list[Desk]]:
    small = {"viewport": {"width": 900, "height": 700}}
    opened = [new_desk(browser, f"{server.url}/", **small) for _ in THINGS]
    yield opened
    for desk in opened:
        desk.context.close()
    assert [error for desk in opened for error in desk.errors] == []


def test_eight_people_see_their_drawings_move_at_the_same_time(desks: list[Desk], studio: Studio) -> None:
    for desk, thing in zip(desks, THINGS, strict=True):
        desk.numbers()
        desk.box("steps").fill(str(STEPS))
        desk.prompt.fill(f"a red {thing} on a white background")
    moment = (time.time() + 3) * 1000
    for desk in desks:
        desk.page.evaluate(WATCH, moment)
    for desk in desks:
        expect(desk.finished).to_have_count(1, timeout=SECONDS * 1000)

    for desk, thing in zip(desks, THINGS, strict=True):
        seen = desk.page.evaluate(SEEN)
        assert seen["steps"] >= 4 and seen["previews"] >= 2, f"the drawing of the {thing} did not move: {seen}"
        (job,) = desk.jobs()
        assert job["state"] == "finished" and thing in job["request"]["prompt"]
    pictures = sorted(Path(studio.settings.data, "pictures").rglob("*.png"))
    companies = [json.loads(Image.open(picture).text["limner"])["facts"]["company"] for picture in pictures]
    assert len(companies) == len(THINGS)
    assert max(companies) == len(THINGS) and min(companies) > len(THINGS) / 2, companies
