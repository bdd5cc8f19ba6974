"""The Upscale tab: one picture to any size, and many one after the other under their own names."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.desk import Desk, Place


@pytest.fixture(scope="module")
def place(bundled: Place) -> Place:
    return bundled


def file(name: str, colour: str, size: tuple[int, int] = (64, 48)) -> dict:
    packed = io.BytesIO()
    Image.new("RGB", size, colour).save(packed, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": packed.getvalue()}


def bring(desk: Desk, *files: dict) -> None:
    desk.page.locator("#lm-tab-upscale").click()
    with desk.page.expect_file_chooser() as chooser:
        desk.page.locator(".lm-begin-drop").click()
    chooser.value.set_files(list(files))


def test_one_picture_becomes_exactly_as_large_as_asked(desk: Desk) -> None:
    bring(desk, file("boat.png", "red"))
    more = desk.page.locator("#lm-start-more")
    expect(more).to_contain_text("64 × 48 becomes 128 × 96")
    expect(more.get_by_role("radio", name="a model")).to_be_checked()
    more.get_by_role("radio", name="Lanczos").click()
    expect(more.get_by_role("combobox")).to_have_count(0)
    more.get_by_role("radio", name="Size").click()
    more.get_by_role("textbox").fill("200 x 100")
    expect(more).to_contain_text("64 × 48 becomes 200 × 100; what stands over is cut off")
    desk.page.locator("#lm-draw").click()
    expect(desk.page.locator("#lm-caption .lm-facts")).to_contain_text("200 × 100")


def test_many_pictures_are_enlarged_and_keep_their_names(desk: Desk) -> None:
    broken = {"name": "broken.png", "mimeType": "image/png", "buffer": b"no picture"}
    bring(desk, file("one.png", "red"), broken, file("two.final.png", "blue", (32, 32)))
    page = desk.page
    rows = page.locator(".lm-batch li")
    expect(rows).to_have_count(3)
    expect(page.locator("#lm-draw")).to_be_hidden()
    page.locator("#lm-start-more").get_by_role("radio", name="Lanczos").click()
    page.locator("#lm-start-more").get_by_role("radio", name="× 4").click()
    page.get_by_role("button", name="Upscale all").click()
    expect(rows.nth(2)).to_have_attribute("data-state", "done")
    expect(page.locator(".lm-batch strong")).to_have_text("2 of 3 pictures are done")
    expect(rows.nth(1)).to_contain_text("broken.png is not a picture that can be read")
    with page.expect_download() as one:
        rows.nth(0).get_by_role("button", name="Download one.png").click()
    assert one.value.suggested_filename == "one-256x192.png"
    expect(rows.nth(0)).to_contain_text("256 × 192")
    with page.expect_download(lambda download: download.suggested_filename == "two.final-128x128.png"):
        page.get_by_role("button", name="Download all").click()
    page.get_by_role("button", name="Remove these pictures").click()
    expect(page.locator(".lm-begin-drop")).to_be_visible()
    expect(page.locator("#lm-draw")).to_be_visible()
