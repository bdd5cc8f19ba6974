"""What bundled plugins do for a designer at the desk: words by chance seen before drawing, pictures as other files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.desk import Desk, new_desk
from tests.e2e.test_access import findings
from tests.unit.plugin_makers import write
from toolkit.engine.sketch import SketchEngine
from toolkit.plugins.plugins import Plugins
from toolkit.settings import load_settings
from toolkit.studio import Studio
from webui.server import Server, build_app, serving

CHANCE = "a {red|blue|green|yellow|black|white} {fish|star|heart|moon|tree|house}"

NOISE = (
    "from PIL import Image\n@hookimpl\ndef register_postprocessors():\n"
    "    yield Postprocessor('noise', 'Noise', lambda i, o, c: Image.effect_noise(i.size, 120).convert('RGB'))\n"
)


@pytest.fixture(scope="module")
def bundled(tmp_path_factory) -> Iterator[tuple[Studio, Server]]:
    settings = load_settings(data=tmp_path_factory.mktemp("studio"))
    plugins = Plugins(settings.data, given=[write(tmp_path_factory.mktemp("given"), "noise", NOISE)])
    engine = SketchEngine(step_seconds=0.01, plugins=plugins)
    with Studio(settings=settings, engine=engine, plugins=plugins) as studio, serving(build_app(studio)) as server:
        yield studio, server


@pytest.fixture
def desk(browser, bundled) -> Iterator[Desk]:
    opened = new_desk(browser, f"{bundled[1].url}/")
    yield opened
    opened.context.close()
    assert opened.errors == []


def becomes(desk: Desk):
    return desk.page.locator("#lm-becomes-text")


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
        with desk.page.expect_response("**/limner/expansion"):
            desk.page.get_by_role("button", name="Choose other words").click()
        desk.page.wait_for_timeout(50)
        seen.add(becomes(desk).inner_text())
    assert len(seen) > 2
    desk.numbers()
    with desk.page.expect_response("**/limner/expansion"):
        desk.box("seed").fill("7")
    expect(desk.page.get_by_role("button", name="Choose other words")).to_be_hidden()
    first = becomes(desk).inner_text()
    desk.page.keyboard.press("Control+Enter")
    expect(desk.finished).to_have_count(1)
    assert desk.jobs()[-1]["request"]["prompt"] == first
    expect(becomes(desk)).to_have_text(first)


def test_plain_prompts_show_nothing_and_wrong_ones_say_why(desk: Desk) -> None:
    with desk.page.expect_response("**/limner/expansion"):
        desk.prompt.fill("a red fish")
    desk.page.wait_for_timeout(100)
    expect(desk.page.locator("#lm-becomes")).to_be_hidden()
    desk.prompt.fill("a __nowhere__ fish")
    expect(becomes(desk)).to_contain_text("There is no wildcard “nowhere”")
    desk.prompt.fill("a __colour__ fish")
    expect(becomes(desk)).not_to_contain_text("wildcard")
    desk.page.wait_for_timeout(800)
    expect(desk.page.locator("#lm-unknown")).not_to_contain_text("colour")


def test_a_picture_is_saved_as_other_files(desk: Desk, bundled) -> None:
    studio = bundled[0]
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
    desk.page.locator("#lm-finish-add").select_option("noise")
    desk.draw("a red fish")
    desk.page.get_by_role("button", name="Save as Transparent PNG").click()
    expect(desk.toast.last).to_contain_text("ground is not plain")


def test_a_cut_out_picture_is_saved_transparent(desk: Desk) -> None:
    desk.page.locator("#lm-finish-add").select_option("cutout")
    desk.draw("a blue star")
    with desk.page.expect_download() as png:
        desk.page.get_by_role("button", name="Save as Transparent PNG").click()
    with Image.open(png.value.path()) as image:
        assert image.mode == "RGBA" and "limner" in image.text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_what_plugins_add(browser, bundled, scheme: str) -> None:
    opened = new_desk(browser, bundled[1].start_link, color_scheme=scheme)
    opened.prompt.fill(CHANCE)
    expect(becomes(opened)).to_be_visible()
    opened.page.locator("#lm-finish-add").select_option("cutout")
    opened.page.keyboard.press("Control+Enter")
    expect(opened.finished).to_have_count(1)
    assert findings(opened) == []
    opened.page.get_by_role("tab", name="Plugins").click()
    expect(opened.page.locator("#lm-plugins .lm-plugin").first).to_be_visible()
    assert findings(opened) == []
    opened.context.close()
