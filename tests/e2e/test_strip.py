"""The screenshots of the documentation can be taken again, by an engine that sketches what the starter would draw."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from tests.e2e.conftest import Pace
from tests.e2e.strip import SHOTS, take_strip
from webui.server import Server

MAX_SHOT = 150_000


def test_the_first_ten_minutes_can_be_shown(browser: Browser, server: Server, tmp_path: Path, pace: Pace) -> None:
    shots = take_strip(browser, f"{server.url}/", tmp_path, pace)
    assert [shot.stem for shot in shots] == list(SHOTS)
    assert all(5_000 < shot.stat().st_size <= MAX_SHOT for shot in shots)
