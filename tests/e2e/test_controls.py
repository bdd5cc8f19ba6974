"""Control units on the page: what will be followed is seen over the picture, before anything is drawn."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Locator, expect

from tests.e2e.desk import Desk, Place


@pytest.fixture(scope="module")
def place(bundled: Place) -> Place:
    return bundled


def boat() -> bytes:
    image = Image.new("RGB", (400, 300), "#cfe6f2")
    ImageDraw.Draw(image).polygon([(120, 200), (280, 200), (250, 245), (150, 245)], fill="#a33")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def unit(desk: Desk) -> Locator:
    """The card of a control unit for lines, with a boat as its picture."""
    desk.page.locator("#lm-controls-place").scroll_into_view_if_needed()
    with desk.page.expect_file_chooser() as chooser:
        desk.page.locator("#lm-controls-place").get_by_role("button", name="Lines", exact=True).click()
    chooser.value.set_files({"name": "boat.png", "mimeType": "image/png", "buffer": boat()})
    card = desk.page.locator(".lm-unit")
    expect(card).to_have_count(1)
    return card


def white(card: Locator) -> int:
    """How many white pixels the control picture has, read from what the browser shows."""
    return card.locator(".lm-overlay-made").evaluate(
        """async (image) => {
          await image.decode();
          const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
          const pen = canvas.getContext("2d");
          pen.drawImage(image, 0, 0);
          const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let at = 0; at < data.length; at += 4) count += data[at] > 200;
          return count;
        }"""
    )


def show_how(card: Locator) -> None:
    """Open what the card has on how the picture is followed; it stays open from one unit to the next."""
    more = card.locator("details.lm-unit-more")
    if more.get_attribute("open") is None:
        card.get_by_text("How it is followed").click()
    expect(more).to_have_attribute("open", "")


def ready(card: Locator) -> None:
    expect(card.locator(".lm-overlay")).to_have_attribute("data-state", "ready")


def test_the_lines_are_shown_over_the_picture_before_drawing(desk: Desk, unit: Locator) -> None:
    ready(unit)
    made = unit.locator(".lm-overlay-made")
    assert made.evaluate("(image) => image.decode().then(() => image.naturalWidth + image.naturalHeight)") == 512
    assert 300 < white(unit) < 3000
    fade = unit.get_by_role("slider", name="How much of the lines is shown over the picture")
    for shown in ("0.2", "1"):
        fade.fill(shown)
        assert made.evaluate("(image) => getComputedStyle(image).opacity") == shown
    assert desk.page.locator("#lm-grid .lm-tile").count() == 0
    desk.ask("a red boat")
    expect(desk.finished).to_have_count(1)


def test_its_options_change_what_is_seen_and_what_is_asked_for(desk: Desk, unit: Locator) -> None:
    ready(unit)
    before = white(unit)
    show_how(unit)
    expect(unit.get_by_role("checkbox", name="Pixel perfect")).to_be_checked()
    unit.get_by_role("combobox").select_option("scribble")
    ready(unit)
    assert white(unit) > 2 * before
    unit.get_by_role("slider", name="Line", exact=True).fill("12")
    expect(unit.locator(".lm-overlay")).not_to_have_attribute("data-state", "ready")
    ready(unit)
    assert white(unit) > 4 * before
    unit.get_by_role("radio", name="Fit").click()
    unit.get_by_role("slider", name="Until which part of the steps Lines are followed").fill("0.6")
    (use,) = json.loads(desk.values()["controls"])
    assert use.pop("image")
    assert use == {"kind": "lines", "preprocessor": "scribble", "options": {"width": 12}, "resize": "fill", "end": 0.6}


def test_missing_weights_are_asked_for_in_one_sentence(desk: Desk, unit: Locator) -> None:
    ready(unit)
    show_how(unit)
    unit.get_by_role("combobox").select_option(label="Soft edges (HED)")
    note = unit.locator(".lm-overlay").get_by_role("status")
    expect(note).to_contain_text("needs ControlNetHED.pth in models/annotators")
    unit.get_by_role("combobox").select_option("none")
    expect(unit.locator(".lm-overlay")).to_have_attribute("data-state", "plain")
    expect(note).to_be_hidden()


def test_the_overlay_follows_the_size_that_is_drawn(desk: Desk, unit: Locator) -> None:
    ready(unit)
    desk.page.locator("#lm-shapes").get_by_role("radio").last.click()
    expect(unit.locator(".lm-overlay")).to_have_attribute("data-state", "ready")
    width, height = (int(desk.values()[side]) for side in ("width", "height"))
    expect(unit.locator(".lm-overlay-made")).to_have_js_property("naturalWidth", width)
    expect(unit.locator(".lm-overlay-made")).to_have_js_property("naturalHeight", height)
