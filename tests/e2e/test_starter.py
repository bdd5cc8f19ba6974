"""With the starter in an engine of its own, as people have it: a real picture, and an engine that is killed."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.desk import Desk, new_desk
from tests.e2e.strip import SHOTS, take_strip
from tests.e2e.test_canvas import easel, stroke
from toolkit.settings import load_settings
from toolkit.studio import Studio
from webui.server import Server, build_app, serving

MAX_SHOT = 150_000
SLOW = 40
# How long an engine may take to start and draw on a machine that is busy with something else.
ENGINE_SECONDS = 140


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    settings = load_settings(data=tmp_path_factory.mktemp("starter"))
    with Studio(settings=settings, engine="process") as opened:
        yield opened


@pytest.fixture(scope="module")
def server(studio: Studio) -> Iterator[Server]:
    with serving(build_app(studio)) as running:
        yield running


@pytest.fixture
def desk(browser: Browser, server: Server) -> Iterator[Desk]:
    opened = new_desk(browser, f"{server.url}/")
    yield opened
    opened.context.close()
    assert opened.errors == []


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
    desk.box("steps").fill(str(SLOW))
    desk.ask("a blue boat on a yellow background")
    expect(desk.status).to_have_text(re.compile("Step [1-9]"), timeout=ENGINE_SECONDS * 1000)
    os.kill(studio.engine.stats()["pid"], getattr(signal, "SIGKILL", signal.SIGTERM))
    expect(desk.page.locator("#lm-engine")).to_have_attribute("data-state", "restarting", timeout=15_000)
    expect(desk.page.locator("#lm-banner")).to_be_visible()
    expect(desk.finished).to_have_count(1, timeout=ENGINE_SECONDS * 1000)
    expect(desk.page.locator("#lm-engine")).to_have_attribute("data-state", "ready")


def test_the_first_ten_minutes_can_be_shown(browser: Browser, server: Server, tmp_path: Path) -> None:
    began = time.monotonic()
    shots = take_strip(browser, f"{server.url}/", tmp_path)
    assert [shot.stem for shot in shots] == list(SHOTS)
    assert all(5_000 < shot.stat().st_size <= MAX_SHOT for shot in shots)
    assert time.monotonic() - began < 280
