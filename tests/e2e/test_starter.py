"""With the starter in an engine of its own, as people have it: real pictures, eight people at once, a killed engine."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import opening
from tests.e2e.desk import Desk, Place
from tests.e2e.test_canvas import easel, stroke
from toolkit.settings import load_settings
from toolkit.studio import Studio

pytestmark = pytest.mark.timeout(600)
# How long an engine may take to start and draw on a machine that is busy with something else.
ENGINE_SECONDS = 200
THINGS = ("heart", "star", "house", "fish", "cup", "tree", "cat", "boat")
STEPS = 40  # long enough that the last tab begins while the first one still draws, on a busy machine too

# Remembers what a person in front of the page sees move.
WATCH = """() => {
  const seen = (window.seenMoving = {steps: new Set(), previews: new Set()});
  new MutationObserver(() => {
    seen.steps.add(document.getElementById("lm-status-text").textContent);
    const shown = document.querySelector("#lm-grid img");
    if (shown?.src.startsWith("data:")) seen.previews.add(shown.src);
  }).observe(document.getElementById("lm-stage"), {
    subtree: true, childList: true, characterData: true, attributes: true,
  });
}"""
DRAW_AT = "(at) => { setTimeout(() => document.getElementById('lm-draw').click(), at - Date.now()); }"
SEEN = """() => ({
  steps: [...window.seenMoving.steps].filter((text) => text.startsWith("Step ")).length,
  previews: window.seenMoving.previews.size,
})"""


@pytest.fixture(scope="module")
def place(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    studio = Studio(settings=load_settings(data=tmp_path_factory.mktemp("starter")), engine="process")
    with opening(browser, studio) as opened:
        studio.engine.warm("limner-starter")
        yield opened


def test_eight_people_see_their_drawings_move_at_the_same_time(person: Callable[..., Desk], studio: Studio) -> None:
    """Each in a browser of their own: what the shared engine is for."""
    desks = [person(viewport={"width": 900, "height": 700}) for _ in THINGS]
    for desk, thing in zip(desks, THINGS, strict=True):
        desk.numbers()
        desk.box("steps").fill(str(STEPS))
        desk.prompt.fill(f"a red {thing} on a white background")
        desk.page.evaluate(WATCH)
    moment = (time.time() + 3) * 1000
    for desk in desks:
        desk.page.evaluate(DRAW_AT, moment)
    for desk in desks:
        expect(desk.finished).to_have_count(1, timeout=ENGINE_SECONDS * 1000)

    for desk, thing in zip(desks, THINGS, strict=True):
        seen = desk.page.evaluate(SEEN)
        assert seen["steps"] >= 4 and seen["previews"] >= 2, f"the drawing of the {thing} did not move: {seen}"
        (job,) = desk.jobs()
        assert job["state"] == "finished" and thing in job["request"]["prompt"]
    pictures = sorted(Path(studio.settings.data, "pictures").rglob("*.png"))
    companies = [json.loads(Image.open(picture).text["limner"])["facts"]["company"] for picture in pictures]
    assert len(companies) == len(THINGS)
    assert max(companies) == len(THINGS) and min(companies) > len(THINGS) / 2, companies


def test_the_starter_draws_what_was_typed(desk: Desk) -> None:
    desk.draw("a red heart on a white background", count=2, seconds=ENGINE_SECONDS)
    job = desk.jobs()[-1]
    assert job["request"]["size"] == [256, 256] and len(job["images"]) == 2
    natural = desk.page.locator("#lm-grid img").first.evaluate("image => image.naturalWidth")
    assert natural == 256, "the stage must show the saved picture itself"


def test_pictures_grow_from_pictures(desk: Desk) -> None:
    """Rework, a mask and an enlargement, each by the engine that people have."""
    actions = desk.page.locator("#lm-actions")
    desk.page.get_by_role("radio", name="Draft").click()
    desk.draw("a red fish on a blue background", seconds=ENGINE_SECONDS)
    actions.get_by_role("button", name="Use in Rework").click()
    expect(desk.page.locator(".lm-begin-size")).to_have_text("256 × 256")
    desk.ask("a yellow fish on a blue background")
    expect(desk.page.locator("#lm-grid .lm-compare")).to_be_visible(timeout=ENGINE_SECONDS * 1000)
    actions.get_by_role("button", name="Use in Inpaint").click()
    _, x, y = easel(desk)
    stroke(desk, (x - 120, y - 60), (x + 120, y - 60), (x + 120, y + 60), (x - 120, y + 60))
    desk.ask("a green star on a blue background")
    proof = desk.page.locator("#lm-status-proof .lm-proof")
    expect(proof).to_have_text("Nothing outside the mask changed", timeout=ENGINE_SECONDS * 1000)
    expect(proof).to_have_attribute("title", re.compile("The file says so too"))
    actions.get_by_role("button", name="Use in Upscale").click()
    expect(desk.page.locator("#lm-draw")).to_have_text("Upscale")
    expect(desk.page.locator(".lm-begin-size")).to_have_text("256 × 256")
    desk.page.locator("#lm-draw").click()
    expect(desk.page.locator("#lm-caption .lm-facts")).to_contain_text("512 × 512", timeout=ENGINE_SECONDS * 1000)


def test_an_engine_that_is_killed_starts_again_and_the_job_goes_on(desk: Desk, studio: Studio) -> None:
    desk.numbers()
    desk.box("steps").fill(str(STEPS))
    desk.ask("a blue boat on a yellow background")
    expect(desk.status).to_have_text(re.compile("Step [1-9]"), timeout=ENGINE_SECONDS * 1000)
    os.kill(studio.engine.stats()["pid"], getattr(signal, "SIGKILL", signal.SIGTERM))
    expect(desk.page.locator("#lm-engine")).to_have_attribute("data-state", "restarting")
    expect(desk.page.locator("#lm-banner")).to_be_visible()
    expect(desk.finished).to_have_count(1, timeout=ENGINE_SECONDS * 1000)
    expect(desk.page.locator("#lm-engine")).to_have_attribute("data-state", "ready")
