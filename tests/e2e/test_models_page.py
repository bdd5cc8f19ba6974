"""The Models page: what fits this machine, and folders that the owner alone adds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import opening
from tests.e2e.desk import Desk, Place
from toolkit.engine.sketch import SketchEngine
from toolkit.settings import load_settings
from toolkit.studio import ROOT, Studio


class WithMemory(SketchEngine):
    """The sketch engine on a machine with so much memory for models that the starter nearly fills it."""

    def stats(self):
        return {**super().stats(), "budget": 42_000_000, "dtype": "float32"}


@pytest.fixture(scope="module")
def place(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    settings = load_settings(data=tmp_path_factory.mktemp("studio"), safe_mode=True)
    with opening(browser, Studio(settings=settings, engine=WithMemory())) as opened:
        yield opened


def test_what_fits_is_said_and_the_owner_adds_a_folder(owner: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "webui"
    (folder / "models" / "Lora").mkdir(parents=True)
    mine = folder / "models" / "Lora" / "ink.safetensors"
    shutil.copy(ROOT / "models" / "loras" / "limner-starter-neon.safetensors", mine)
    page = owner.page
    page.locator("#lm-tab-models").click()
    expect(page.locator(".lm-machine")).to_contain_text("draws on the processor in float32, with 42 MB for models")
    expect(page.locator(".lm-model").first).to_contain_text("fits, with little left for large pictures")
    path = page.get_by_label("A folder of A1111, ComfyUI or your own")
    path.fill("/no/such/folder")
    page.get_by_role("button", name="Add a folder").click()
    expect(owner.toast).to_contain_text("There is no folder /no/such/folder")
    path.fill(str(folder))
    path.press("Enter")
    expect(owner.toast.last).to_contain_text("is used from now on. It holds LoRAs: 1.")
    page.locator("#lm-tab-create").click()
    expect(page.locator("#lm-loras-place [data-lora=ink]")).to_have_count(1)
    page.locator("#lm-tab-models").click()
    page.get_by_role("button", name=f"No longer use {folder}").click()
    expect(page.locator(".lm-files code")).to_have_count(0)
    assert mine.is_file()


def test_a_visitor_sees_no_folders(desk: Desk) -> None:
    desk.page.locator("#lm-tab-models").click()
    expect(desk.page.locator(".lm-model").first).to_be_visible()
    expect(desk.page.locator(".lm-folder-new")).to_have_count(0)
