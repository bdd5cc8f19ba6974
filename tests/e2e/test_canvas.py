"""Pictures from pictures: rework, a painted mask, an extended frame, and what goes on from a result."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

from PIL import Image, ImageDraw
from playwright.sync_api import Locator, expect

from tests.e2e.desk import READY, Desk
from tests.e2e.test_access import findings


def photo(width: int = 320, height: int = 224) -> bytes:
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    ImageDraw.Draw(image).ellipse((width // 3, height // 4, width // 2, height // 2), fill="#f2e4c9")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def begin(desk: Desk, tab: str, content: bytes | None = None) -> None:
    """Open a tab and give it a picture, as from a folder."""
    desk.page.get_by_role("tab", name=tab).click()
    desk.page.get_by_role("radio", name="Draft").click()  # fewer steps, so less waiting
    file = {"name": "photo.png", "mimeType": "image/png", "buffer": content or photo()}
    desk.page.set_input_files("#lm-start-file", file)
    expect(desk.page.locator(".lm-begin img")).to_be_visible()


def easel(desk: Desk) -> tuple[Locator, float, float]:
    """The canvas once its picture is on it, and its middle on the screen."""
    box = desk.page.locator("#lm-easel")
    expect(box).to_be_visible()
    desk.page.wait_for_function("document.querySelector('.lm-zoom')?.textContent !== '100 %'")
    edges = box.bounding_box()
    assert edges is not None
    return box, edges["x"] + edges["width"] / 2, edges["y"] + edges["height"] / 2


def stroke(desk: Desk, *points: tuple[float, float]) -> None:
    mouse = desk.page.mouse
    mouse.move(*points[0])
    mouse.down()
    for point in points[1:]:
        mouse.move(*point, steps=4)
    mouse.up()


def start(desk: Desk) -> dict[str, Any]:
    return desk.jobs()[-1]["request"].get("start", {})


NOTE = "#lm-easel-note"
PAINTED = re.compile("^(Under )?[1-9]+ % of the picture")


def test_a_picture_is_reworked_and_shown_beside_what_it_was(desk: Desk) -> None:
    desk.draw("a red circle on a blue background")
    desk.page.locator("#lm-actions").get_by_role("button", name="Use in Rework").click()
    expect(desk.page.get_by_role("tab", name="Rework")).to_have_attribute("aria-selected", "true")
    expect(desk.page.locator(".lm-begin-size")).to_have_text("256 × 256")
    desk.page.get_by_role("radio", name="Low").click()
    assert findings(desk) == []
    desk.ask("a green star")
    slider = desk.page.get_by_role("slider", name=re.compile("Before and after"))
    expect(slider).to_be_visible()
    slider.focus()
    desk.page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "100 percent before")
    asked = start(desk)
    assert (asked["kind"], asked["strength"], len(asked["image"])) == ("image", 0.35, 64)
    desk.page.reload()
    desk.page.wait_for_selector(READY)
    expect(desk.page.get_by_role("tab", name="Rework")).to_have_attribute("aria-selected", "true")
    expect(desk.page.locator(".lm-begin-size")).to_have_text("256 × 256")
    desk.page.get_by_role("tab", name="Create").click()
    assert desk.values()["start"] == ""
    desk.page.locator("#lm-actions").get_by_role("button", name="Use settings").click()
    expect(desk.page.get_by_role("tab", name="Rework")).to_have_attribute("aria-selected", "true")
    expect(desk.page.get_by_role("slider", name="How much changes")).to_have_value("0.35")


def test_a_mask_is_painted_kept_and_nothing_outside_of_it_changes(desk: Desk) -> None:
    begin(desk, "Inpaint")
    box, x, y = easel(desk)
    desk.ask("a purple star")
    expect(desk.page.locator("#lm-error-lm-start")).to_contain_text("Paint over what should change")
    stroke(desk, (x - 80, y), (x, y + 40), (x + 80, y))
    expect(desk.page.locator(NOTE)).to_have_text(PAINTED)
    once = desk.page.locator(NOTE).inner_text()
    stroke(desk, (x - 80, y + 100), (x + 80, y + 100))
    expect(desk.page.locator(NOTE)).not_to_have_text(once)
    desk.page.keyboard.press("Control+z")
    expect(desk.page.locator(NOTE)).to_have_text(once)
    desk.page.keyboard.press("Control+Shift+z")
    expect(desk.page.locator(NOTE)).not_to_have_text(once)
    desk.page.get_by_role("button", name="Undo").click()
    desk.page.keyboard.press("i")
    expect(desk.page.locator(NOTE)).to_have_text(re.compile("^[89]. %"))
    desk.page.keyboard.press("i")
    expect(desk.page.locator(NOTE)).to_have_text(once)
    assert findings(desk) == []
    desk.page.get_by_role("tab", name="Rework").click()
    desk.page.get_by_role("tab", name="Inpaint").click()
    expect(desk.page.locator(NOTE)).to_have_text(once)
    desk.page.wait_for_function("JSON.parse(window.limner.values()[17]).mask.length === 64")
    kept = desk.values()["start"]
    desk.page.reload()
    desk.page.wait_for_selector(READY)
    expect(desk.page.locator(NOTE)).to_have_text(once)
    box.focus()
    desk.page.keyboard.press("Control+Enter")
    proof = desk.page.locator("#lm-status-proof .lm-proof")
    expect(proof).to_have_text("Nothing outside the mask changed")
    picture = desk.jobs()[-1]["images"][0]
    assert (picture["width"], picture["height"]) == (320, 224)
    counted = desk.context.request.get(f"/limner/pictures/{picture['id']}/outside").json()
    assert counted["state"] == "same" and counted["pixels"] > 320 * 224 / 2
    expect(desk.page.get_by_role("slider", name=re.compile("Before and after"))).to_be_visible()
    assert findings(desk) == []
    desk.page.get_by_role("radio", name="Canvas").click()
    box.focus()
    desk.page.keyboard.press("Delete")
    expect(desk.page.locator(NOTE)).to_contain_text("Paint over what should change")
    for key in ("Enter", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown"):
        desk.page.keyboard.press(key)
    expect(desk.page.locator(NOTE)).to_have_text(PAINTED)
    desk.page.locator("#lm-draw").click()  # sooner than the mask goes out by itself
    expect(desk.page.locator("#lm-view").get_by_role("radio", name="Result")).to_have_attribute("aria-checked", "true")
    assert start(desk)["mask"] not in ("", json.loads(kept)["mask"]), "the mask must be sent before it is asked for"


def test_a_picture_is_extended_by_pulling_its_frame(desk: Desk) -> None:
    begin(desk, "Inpaint")
    desk.page.get_by_role("radio", name="Extend").click()
    _, x, y = easel(desk)
    scale = int(desk.page.locator(".lm-zoom").inner_text().split()[0]) / 100
    stroke(desk, (x + 160 * scale, y), (x + 200 * scale, y))
    above = desk.page.get_by_role("spinbutton", name="Pixels to add above")
    above.fill("32")
    above.press("Tab")
    expect(desk.page.locator(NOTE)).to_have_text(re.compile(r"will be (352|360|368) × 256\. What is there stays"))
    desk.ask("a yellow field")
    expect(desk.page.locator("#lm-status-proof .lm-proof")).to_have_text("Nothing of the picture it began with changed")
    asked, picture = start(desk), desk.jobs()[-1]["images"][0]
    assert asked["kind"] == "outpaint" and asked["top"] == 32 and asked["right"] % 8 == 0
    assert (picture["width"], picture["height"]) == (320 + asked["right"], 256)


def test_a_result_is_varied_refined_and_looked_at_as_a_pattern(desk: Desk) -> None:
    desk.page.get_by_role("radio", name="Draft").click()
    desk.page.locator("#lm-tile").get_by_role("radio", name="✢").click()
    desk.draw("an orange star")
    actions = desk.page.locator("#lm-actions")
    actions.get_by_role("button", name="See it repeat").click()
    expect(desk.page.locator("#lm-lightbox .lm-repeat img")).to_have_count(9)
    desk.page.keyboard.press("Escape")
    first = desk.jobs()[-1]["request"]
    assert first["tile"] == "xy"
    actions.get_by_role("button", name="Vary subtle").click()
    expect(desk.finished).to_have_count(4)
    varied = desk.jobs()[-1]["request"]
    assert varied["seed"] == first["seed"] and varied["variation"]["strength"] < 0.2
    desk.tiles.nth(1).click()
    actions.get_by_role("button", name="Vary strong").click()
    expect(desk.page.locator("#lm-caption .lm-facts")).not_to_contain_text("varied")
    expect(desk.finished).to_have_count(4)
    assert start(desk)["kind"] == "image", "a variation of a variation begins with the picture"
    desk.page.locator("#lm-tiles button").last.click()
    desk.page.locator("#lm-lightbox").get_by_role("button", name="Refine × 1.5").click()
    expect(desk.page.locator("#lm-caption .lm-facts")).to_contain_text("384 × 384")
    assert desk.jobs()[-1]["request"]["refine"]["scale"] == 1.5


def test_pictures_are_dropped_and_bad_ones_refused_in_a_sentence(person: Callable[..., Desk]) -> None:
    desk = person(viewport={"width": 390, "height": 844}, has_touch=True)
    desk.page.get_by_role("tab", name="Rework").click()
    desk.ask("a fish")
    expect(desk.page.locator("#lm-error-lm-start")).to_contain_text("Choose the picture")
    small = io.BytesIO()
    Image.new("RGB", (1, 1)).save(small, "PNG")
    for name, content, named in (("dot.png", small.getvalue(), "1 × 1"), ("page.png", b"<html>", "page.png")):
        desk.drop(name, content)
        expect(desk.toast.last).to_contain_text(named)
    desk.drop("photo.png", photo())
    expect(desk.page.locator(".lm-begin-size")).to_have_text("320 × 224")
    desk.page.get_by_role("button", name="Take the picture’s own shape").click()
    expect(desk.page.locator("#lm-shape-note")).to_contain_text("320 × 224")
    desk.page.get_by_role("tab", name="Inpaint").click()
    desk.page.set_input_files("#lm-start-file", {"name": "p.png", "mimeType": "image/png", "buffer": photo()})
    box, x, y = easel(desk)
    box.scroll_into_view_if_needed()
    _, x, y = easel(desk)
    desk.page.touchscreen.tap(x, y)
    expect(desk.page.locator(NOTE)).to_have_text(PAINTED)
    assert findings(desk) == []
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= 390
