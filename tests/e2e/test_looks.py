"""LoRAs on the page: looks as style cards, the others as cards with weight and words; what doesn't fit says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect
from safetensors.numpy import save_file

from tests.e2e.conftest import opening
from tests.e2e.desk import Desk, Place
from toolkit.engine.sketch import SketchEngine
from toolkit.model_folders import LIST
from toolkit.plugins.plugins import Plugins
from toolkit.settings import load_settings
from toolkit.studio import ROOT, Studio

SDXL = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
NOTES = {"title": "Ink wash", "activation text": "inkwash, brush", "preferred weight": 0.7, "licence": "CC0-1.0"}


def put_loras(folder: Path) -> None:
    """One that fits with a person's notes, and two of another family, of which one says that it is a look."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "models" / "loras" / "limner-starter-neon.safetensors", folder / "ink.safetensors")
    (folder / "ink.json").write_text(json.dumps(NOTES), "utf-8")
    for name in ("big", "oil"):
        save_file({f"{SDXL}.lora_A.weight": np.zeros((4, 2048), np.float16)}, folder / f"{name}.safetensors")
    (folder / "oil.json").write_text('{"title": "Oil", "style": true}', "utf-8")


@pytest.fixture(scope="module")
def place(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    data = tmp_path_factory.mktemp("looks")
    put_loras(data / "mine" / "loras")
    (data / LIST).write_text(f"{data / 'mine'}\n", "utf-8")
    plugins = Plugins(data)
    studio = Studio(settings=load_settings(data=data), engine=SketchEngine(plugins=plugins), plugins=plugins)
    with opening(browser, studio) as opened:
        yield opened


def test_a_look_is_a_style_card_and_is_drawn_with(desk: Desk, studio: Studio) -> None:
    page = desk.page
    looks = page.locator("#lm-styles [data-style=lora-limner-starter-blueprint]")
    expect(looks.locator("img")).to_have_js_property("complete", True)
    expect(page.locator("#lm-loras-place [data-lora=limner-starter-blueprint]")).to_have_count(0)
    looks.click()
    expect(page.locator("#lm-chips button")).to_have_text("Blueprint")
    desk.prompt.fill("a red boat")
    expect(page.locator("#lm-final-text")).to_have_text("a red boat (with Limner starter blueprint 1)")
    desk.draw("a red boat")
    drawn = page.evaluate("fetch('/limner/pictures').then((answer) => answer.json()).then((all) => all.pictures[0])")
    assert [use["name"] for use in drawn["request"]["loras"]] == ["limner-starter-blueprint"]
    assert drawn["request"]["prompt"] == "a red boat"
    page.locator("#lm-loras-place").get_by_role("button", name="Show all").click()
    own = page.locator("#lm-loras-place [data-lora=limner-starter-blueprint]")
    own.get_by_role("button").click()
    expect(page.locator("#lm-chips button")).to_have_count(0)
    expect(own.get_by_role("slider")).to_have_value("1")
    looks.click()
    expect(own.get_by_role("slider")).to_have_count(0)


def test_a_card_has_the_recommended_weight_words_licence_and_base(desk: Desk) -> None:
    page = desk.page
    card = page.locator("#lm-loras-place [data-lora=ink]")
    card.get_by_role("button", name="Ink wash").click()
    weight = card.get_by_role("slider", name="Weight of Ink wash")
    expect(weight).to_have_value("0.7")
    assert (weight.get_attribute("min"), weight.get_attribute("max")) == ("0", "1.2")
    weight.fill("1.1")
    desk.prompt.fill("a fox")
    card.get_by_role("button", name="inkwash").click()
    expect(desk.prompt).to_have_value("a fox, inkwash")
    expect(card).to_contain_text("CC0-1.0")
    assert json.loads(desk.values()["loras"]) == [{"name": "ink", "weight": 1.1}]


def test_what_does_not_fit_comes_last_and_says_what_it_is_for(desk: Desk) -> None:
    page = desk.page
    expect(page.locator("#lm-loras-place [data-lora=big]")).to_have_count(0)
    page.locator("#lm-loras-place").get_by_role("button", name="Show all").click()
    cards = page.locator("#lm-loras-place .lm-lora")
    unfit = cards.evaluate_all("(cards) => cards.map((card) => card.hasAttribute('data-misfit'))")
    assert unfit == sorted(unfit) and sum(unfit) == 2
    big = page.locator("#lm-loras-place [data-lora=big]")
    expect(big).to_contain_text("Made for SDXL")
    big.get_by_role("button").click()
    expect(desk.toast).to_contain_text("big is made for SDXL: choose a model of that kind for it.")
    page.locator("#lm-styles-more").click()
    oil = page.locator("#lm-styles [data-style=lora-oil]")
    expect(oil).to_contain_text("Made for SDXL")
    oil.click()
    expect(page.locator("#lm-chips button")).to_have_count(0)
