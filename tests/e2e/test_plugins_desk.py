"""What bundled plugins do for a designer at the desk: words by chance seen before drawing, pictures as other files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Request, expect

from tests.e2e.desk import Desk, Place
from tests.e2e.test_access import SCHEMES, findings
from tests.e2e.test_canvas import photo
from toolkit.studio import Studio

CHANCE = "a {red|blue|green|yellow|black|white} {fish|star|heart|moon|tree|house}"


@pytest.fixture(scope="module")
def place(bundled: Place) -> Place:
    return bundled


def becomes(desk: Desk) -> Locator:
    return desk.page.locator("#lm-becomes-text")


def judges(word: str, without: str) -> Callable[[Request], bool]:
    """Whether a request asks which of some words a model doesn't know."""
    return lambda one: "/limner/words" in one.url and word in one.post_data and without not in one.post_data


def test_what_the_prompt_becomes_is_shown_and_then_drawn(desk: Desk) -> None:
    desk.prompt.fill(CHANCE)
    expect(becomes(desk)).to_be_visible()
    shown = becomes(desk).inner_text()
    assert "{" not in shown and shown.startswith("a ")
    assert desk.page.locator("#lm-becomes mark").count() == 2
    desk.page.keyboard.press("Control+Enter")
    expect(desk.finished).to_have_count(1)
    drawn = desk.jobs()[-1]["request"]
    assert drawn["prompt"] == shown
    assert drawn["written"]["prompt"] == CHANCE
    assert desk.box("seed").input_value() == "", "the seed's box stays open for the next pictures"


def test_who_is_quick_draws_what_was_chosen_for_them(desk: Desk) -> None:
    told: list[dict] = []
    desk.page.on("response", lambda answer: told.append(answer) if "/limner/expansion" in answer.url else None)
    desk.ask(CHANCE)
    expect(desk.finished).to_have_count(1)
    drawn = desk.jobs()[-1]["request"]
    assert any(answer.json()["seed"] == drawn["seed"] and answer.json()["prompt"] == drawn["prompt"] for answer in told)


def test_other_words_are_chosen_and_a_seed_keeps_them(desk: Desk) -> None:
    desk.prompt.fill(CHANCE)
    expect(becomes(desk)).to_be_visible()
    seen = {becomes(desk).inner_text()}
    for _ in range(6):
        with desk.page.expect_response("**/limner/expansion") as told:
            desk.page.get_by_role("button", name="Choose other words").click()
        expect(becomes(desk)).to_have_text(told.value.json()["prompt"])
        seen.add(becomes(desk).inner_text())
    assert len(seen) > 2
    desk.numbers()
    with desk.page.expect_response("**/limner/expansion") as told:
        desk.box("seed").fill("7")
    expect(becomes(desk)).to_have_text(told.value.json()["prompt"])
    expect(desk.page.get_by_role("button", name="Choose other words")).to_be_hidden()
    first = becomes(desk).inner_text()
    desk.page.keyboard.press("Control+Enter")
    expect(desk.finished).to_have_count(1)
    assert desk.jobs()[-1]["request"]["prompt"] == first
    expect(becomes(desk)).to_have_text(first)


def test_plain_prompts_show_nothing_and_wrong_ones_say_why(desk: Desk) -> None:
    desk.prompt.fill(CHANCE)
    expect(becomes(desk)).to_be_visible()
    desk.prompt.fill("a red fish")
    expect(desk.page.locator("#lm-becomes")).to_be_hidden()
    desk.prompt.fill("a __nowhere__ fish")
    expect(becomes(desk)).to_contain_text("There is no wildcard “nowhere”")
    with desk.page.expect_request(judges("fish", "nowhere")) as judged:
        desk.prompt.fill("a __colour__ fish")
    expect(becomes(desk)).not_to_contain_text("wildcard")
    assert "colour" not in judged.value.post_data, "the words that are drawn are judged, not those that stand for them"


def test_a_picture_is_saved_as_other_files(desk: Desk, studio: Studio) -> None:
    desk.draw("a red fish")
    with desk.page.expect_download() as svg:
        desk.page.get_by_role("button", name="Save as SVG").click()
    assert svg.value.suggested_filename.endswith("-vector.svg")
    assert Path(svg.value.path()).read_text("utf-8").count("<path") >= 1
    assert list(studio.gallery.folder.rglob("exports/*-vector.svg"))
    with desk.page.expect_download() as png:
        desk.page.get_by_role("button", name="Save as Transparent PNG").click()
    with Image.open(png.value.path()) as image:
        assert image.mode == "RGBA" and image.getpixel((0, 0))[3] == 0 and "limner" in image.text


def test_how_near_a_picture_is_to_the_brand_is_shown(desk: Desk) -> None:
    desk.page.locator("#lm-finish-add").select_option("palette")
    desk.draw("a red fish")
    desk.page.get_by_text("What plugins noted").click()
    expect(desk.page.locator("#lm-caption .lm-noted")).to_contain_text("Brand palette · #e4433d")
    expect(desk.page.locator("#lm-caption .lm-noted")).to_contain_text("ΔE")


def test_what_cannot_be_saved_says_why(desk: Desk) -> None:
    desk.page.locator("#lm-tab-upscale").click()
    fading = {"name": "fading.png", "mimeType": "image/png", "buffer": photo()}
    desk.page.set_input_files("#lm-start-file", fading)
    desk.page.locator("#lm-start-more").get_by_role("radio", name="Lanczos").click()
    desk.page.locator("#lm-draw").click()
    desk.page.get_by_role("button", name="Save as Transparent PNG").click()
    expect(desk.toast.last).to_contain_text("ground is not plain")


def test_a_cut_out_picture_is_saved_transparent(desk: Desk) -> None:
    desk.page.locator("#lm-finish-add").select_option("cutout")
    desk.draw("a blue star")
    with desk.page.expect_download() as png:
        desk.page.get_by_role("button", name="Save as Transparent PNG").click()
    with Image.open(png.value.path()) as image:
        assert image.mode == "RGBA" and "limner" in image.text


def test_axe_finds_nothing_serious_in_what_plugins_add(owner: Desk) -> None:
    owner.prompt.fill(CHANCE)
    expect(becomes(owner)).to_be_visible()
    owner.page.locator("#lm-finish-add").select_option("cutout")
    owner.page.keyboard.press("Control+Enter")
    expect(owner.finished).to_have_count(1)
    assert findings(owner, *SCHEMES) == []
    owner.page.get_by_role("tab", name="Plugins").click()
    expect(owner.page.locator("#lm-plugins .lm-plugin").first).to_be_visible()
    assert findings(owner, *SCHEMES) == []
