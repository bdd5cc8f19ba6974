"""The screenshots of the first ten minutes: `python -m tests.e2e.strip` draws them anew into docs/images."""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.desk import Desk, new_desk

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
WIDE = {"viewport": {"width": 1440, "height": 900}}
NARROW = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}
SHOTS = ("first-page", "drawing", "pictures", "large-view", "pictures-light", "first-page-narrow", "pictures-narrow")
PROMPT = "a red house beside a green tree on a blue background"


def take_strip(browser: Browser, link: str, folder: Path) -> list[Path]:
    """Go through a first visit and keep what it looks like, in the order of SHOTS."""
    shots: list[Path] = []

    def keep(desk: Desk) -> None:
        desk.page.wait_for_timeout(400)
        shots.append(folder / f"{SHOTS[len(shots)]}.webp")
        Image.open(io.BytesIO(desk.page.screenshot())).save(shots[-1], quality=82, method=6)

    desk = new_desk(browser, link, color_scheme="dark", **WIDE)
    keep(desk)
    desk.page.locator("#lm-count").get_by_role("radio", name="4", exact=True).click()
    desk.ask(PROMPT)
    desk.page.wait_for_function("document.querySelectorAll('#lm-grid img').length === 4", timeout=120_000)
    keep(desk)
    expect(desk.finished).to_have_count(4, timeout=120_000)
    desk.page.mouse.move(0, 0)
    keep(desk)
    desk.tiles.first.click()
    desk.page.wait_for_selector("#lm-lightbox[open]")
    keep(desk)
    desk.page.keyboard.press("Escape")
    desk.page.emulate_media(color_scheme="light")
    keep(desk)
    desk.context.close()

    desk = new_desk(browser, link, color_scheme="dark", **NARROW)
    keep(desk)
    desk.draw("a yellow star on a blue background", count=4)
    keep(desk)
    desk.context.close()
    return shots


def main() -> None:
    from toolkit.settings import load_settings
    from toolkit.studio import Studio
    from webui.server import build_app, serving

    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        settings = load_settings(data=Path(data))
        with Studio(settings=settings, engine="process") as studio, serving(build_app(studio)) as server:
            chromium = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            for shot in take_strip(browser, f"{server.url}/", IMAGES):
                print(shot.name, shot.stat().st_size)
            browser.close()


if __name__ == "__main__":
    main()
