"""The screenshots of the first ten minutes: `python -m tests.e2e.strip` draws them anew into docs/images."""

from __future__ import annotations

import io
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.conftest import WATCHED, Pace
from tests.e2e.desk import Desk, new_desk

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
WIDE = {"viewport": {"width": 1440, "height": 900}}
NARROW = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}
SHOTS = (
    "first-page", "drawing", "pictures", "large-view", "rework", "canvas", "inpainted", "pictures-light",
    "first-page-narrow", "pictures-narrow",
)  # fmt: skip
UNTOUCHED = "Nothing outside the mask changed"
PROMPT = "a red house beside a green tree on a blue background"


def take_strip(browser: Browser, link: str, folder: Path, pace: Pace = lambda _: None) -> list[Path]:
    """Go through a first visit and keep what it looks like, in the order of SHOTS; `pace` slows a sketch down."""
    shots: list[Path] = []

    def keep(desk: Desk) -> None:
        desk.page.wait_for_timeout(400)
        shots.append(folder / f"{SHOTS[len(shots)]}.webp")
        Image.open(io.BytesIO(desk.page.screenshot())).save(shots[-1], quality=82, method=6)

    desk = new_desk(browser, link, color_scheme="dark", **WIDE)
    keep(desk)
    desk.page.locator("#lm-count").get_by_role("radio", name="4", exact=True).click()
    pace(WATCHED)
    desk.ask(PROMPT)
    desk.page.wait_for_function("document.querySelectorAll('#lm-grid img').length === 4", timeout=120_000)
    keep(desk)
    pace(0.0)
    expect(desk.finished).to_have_count(4, timeout=120_000)
    desk.page.mouse.move(0, 0)
    keep(desk)
    desk.tiles.first.click()
    desk.page.wait_for_selector("#lm-lightbox[open]")
    keep(desk)
    desk.page.keyboard.press("Escape")
    _go_on(desk, keep)
    desk.page.get_by_role("tab", name="Create").click()
    desk.page.emulate_media(color_scheme="light")
    keep(desk)
    desk.context.close()

    desk = new_desk(browser, link, color_scheme="dark", **NARROW)
    keep(desk)
    desk.draw("a yellow star on a blue background", count=4)
    keep(desk)
    desk.context.close()
    return shots


def _go_on(desk: Desk, keep: Callable[[Desk], None]) -> None:
    """Rework one of the pictures, then paint over a part of the result and draw that anew."""
    page = desk.page
    page.locator("#lm-count").get_by_role("radio", name="1", exact=True).click()
    page.locator("#lm-actions").get_by_role("button", name="Use in Rework").click()
    expect(page.locator(".lm-begin img")).to_be_visible()
    desk.ask("a yellow house beside a green tree on a blue background")
    expect(page.locator("#lm-grid .lm-compare")).to_be_visible(timeout=120_000)
    line = page.get_by_role("slider", name=re.compile("Before and after"))
    line.fill("36")
    keep(desk)
    page.locator("#lm-actions").get_by_role("button", name="Use in Inpaint").click()
    expect(page.locator("#lm-easel")).to_be_visible()
    page.wait_for_function("document.querySelector('.lm-zoom')?.textContent !== '100 %'")
    page.locator("#lm-easel").focus()
    for _ in range(5):
        page.keyboard.press("]")
    box = page.locator("#lm-easel").bounding_box()
    assert box is not None
    left, top, side = box["x"] + box["width"] / 2 - box["height"] / 2, box["y"], box["height"]
    page.mouse.move(left + side * 0.6, top + side * 0.3)
    page.mouse.down()
    for across, down in ((0.85, 0.35), (0.6, 0.45), (0.85, 0.55), (0.6, 0.65), (0.85, 0.7)):
        page.mouse.move(left + side * across, top + side * down, steps=8)
    page.mouse.up()
    page.evaluate("document.activeElement.blur()")
    keep(desk)
    desk.ask("a red star on a blue background")
    expect(page.locator("#lm-status-proof .lm-proof")).to_have_text(UNTOUCHED, timeout=120_000)
    keep(desk)


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
