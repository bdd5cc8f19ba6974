"""What somebody sees who opens the studio for the first time: examples, the words a small model knows, the way back."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.desk import Desk
from tests.e2e.test_access import SCHEMES, findings
from tests.e2e.test_canvas import NOTE, PAINTED, begin, easel, photo, stroke


def test_examples_show_what_they_draw_and_fill_in_their_words(desk: Desk) -> None:
    examples = desk.page.locator("#lm-empty .lm-example")
    expect(examples).to_have_count(12)
    assert examples.locator("img").count() == 12, "draw them anew: python -m webui.draw_examples"
    for family in ("landscape", "pattern", "poster"):
        expect(examples.filter(has_text=family).first).to_be_visible()
    examples.filter(has_text="poster").first.click()
    expect(desk.prompt).to_have_value(re.compile("poster"))
    expect(desk.prompt).to_be_focused()


def test_the_words_of_the_model_are_chosen_with_a_click(desk: Desk) -> None:
    desk.page.get_by_role("button", name="Words it knows", exact=True).click()
    dialog = desk.page.get_by_role("dialog", name="What Limner starter knows")
    expect(dialog.get_by_role("region", name="Landscapes")).to_contain_text("skyline")
    assert findings(desk, *SCHEMES) == []
    for word in ("pattern", "zigzag", "in retro colours"):
        dialog.get_by_role("button", name=f"Add “{word}” to the prompt").first.click()
    expect(dialog.get_by_role("status")).to_have_text("pattern zigzag in retro colours")
    dialog.get_by_role("button", name="Done").click()
    expect(desk.prompt).to_have_value("pattern zigzag in retro colours")
    expect(desk.prompt).to_be_focused()
    desk.page.get_by_role("button", name=re.compile("See the [0-9]+ words it knows")).click()
    dialog.get_by_role("button", name="Empty it").click()
    dialog.get_by_role("region", name="Posters").locator(".lm-example").click()
    expect(dialog).not_to_be_visible()
    expect(desk.prompt).to_have_value(re.compile("poster"))


def test_each_desk_asks_for_what_it_needs(desk: Desk) -> None:
    for tab, asked in (("Rework", "should change"), ("Inpaint", "change or extend"), ("Upscale", "should be larger")):
        desk.page.get_by_role("tab", name=tab).click()
        expect(desk.page.locator("#lm-empty h2")).to_contain_text(asked)
        expect(desk.page.locator("#lm-empty .lm-example")).to_have_count(0)
    desk.page.get_by_role("tab", name="Create").click()
    desk.page.locator("#lm-empty").get_by_role("button", name="Models").click()
    expect(desk.page.get_by_role("tab", name="Models")).to_have_attribute("aria-selected", "true")


def test_tabs_and_prompt_stay_in_sight_while_one_scrolls(desk: Desk) -> None:
    desk.draw("a red star")
    desk.page.set_viewport_size({"width": 1440, "height": 500})
    desk.page.evaluate("scrollTo(0, 400)")
    expect(desk.page.get_by_role("tab", name="Create")).to_be_in_viewport(ratio=1)
    expect(desk.prompt).to_be_in_viewport(ratio=1)


def as_tiff() -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(photo())).save(file, "TIFF")
    return file.getvalue()


@pytest.mark.parametrize("content", [photo()[:-16], as_tiff()], ids=["cut short", "tiff"])
def test_what_the_browser_cannot_show_is_shown_as_the_studio_keeps_it(desk: Desk, content: bytes) -> None:
    begin(desk, "Inpaint", content)
    _, x, y = easel(desk)
    stroke(desk, (x - 60, y), (x + 60, y))
    expect(desk.page.locator(NOTE)).to_have_text(PAINTED)
    expect(desk.toast).to_have_count(0)
    expect(desk.page.locator(".lm-begin img")).to_have_js_property("naturalWidth", 320)
