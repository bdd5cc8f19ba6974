"""What lasts: a studio that was closed while it drew, and more pictures than one page of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import WATCHED
from tests.e2e.desk import Desk, new_desk
from toolkit.engine.sketch import SketchEngine
from toolkit.geometry import Size
from toolkit.request import GenerationRequest
from toolkit.settings import load_settings
from toolkit.studio import Studio
from webui.server import Server, build_app, serving

MANY = 75


class House:
    """A studio and its server that can be closed and opened again."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def __enter__(self) -> House:
        self._stack = ExitStack()
        settings = load_settings(data=self._data, safe_mode=True)
        self.engine = SketchEngine(step_seconds=WATCHED)
        self.studio = self._stack.enter_context(Studio(settings=settings, engine=self.engine))
        self.server: Server = self._stack.enter_context(serving(build_app(self.studio)))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def again(self) -> None:
        self.__exit__()
        self.__enter__()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("house")) as opened:
        yield opened


@pytest.fixture
def desk(browser: Browser, house: House) -> Iterator[Desk]:
    opened = new_desk(browser, f"{house.server.url}/")
    yield opened
    opened.context.close()


def test_what_a_closed_studio_was_drawing_waits_under_run_again(desk: Desk, house: House) -> None:
    desk.numbers()
    desk.box("steps").fill("60")
    desk.ask("a brown boat")
    expect(desk.status).to_have_text(re.compile("Step [1-9]"))
    house.again()
    desk.open(f"{house.server.url}/")
    left = desk.page.locator("#lm-interrupted li")
    expect(left).to_contain_text("a brown boat")
    left.get_by_role("button", name="Run again: a brown boat").click()
    expect(desk.status).to_have_text(re.compile("Step [1-9]"))
    expect(desk.page.locator("#lm-interrupted")).not_to_be_visible()
    desk.page.keyboard.press("Escape")
    expect(desk.status).to_contain_text("Stopped")


def test_older_pictures_come_as_one_scrolls(desk: Desk, house: House) -> None:
    house.engine.step_seconds = 0.0
    desk.draw("a small star")
    row = house.studio.queue.get(desk.jobs()[-1]["id"])
    assert row is not None
    for number in range(MANY):
        request = GenerationRequest(f"an older picture {number}", size=Size(64, 64), seed=number)
        image = Image.new("RGB", (64, 64), (number * 3, 90, 200 - number))
        house.studio.gallery.save(image, request, who=row.who, job_id=f"old-{number}", index=0, facts={})
    desk.page.reload()
    tiles = desk.page.locator("#lm-tiles button")
    expect(tiles).to_have_count(60)
    tiles.last.scroll_into_view_if_needed()
    expect(tiles).to_have_count(MANY + 1)
    expect(desk.page.locator("#lm-recent-count")).to_have_text(str(MANY + 1))
    tiles.last.click()
    expect(desk.page.locator("#lm-lightbox img")).to_have_attribute("alt", "a small star")
