"""A real browser, and studios behind the real server: two that sketch for what is quick, one with the starter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.e2e.desk import Desk, Place, new_context, new_desk
from toolkit.engine.sketch import SketchEngine
from toolkit.plugins.plugins import Plugins
from toolkit.settings import load_settings
from toolkit.studio import Studio
from webui.server import Server, build_app, serving

FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
Pace = Callable[[float], None]
# A step that is slow enough to be looked at however busy the machine is: a test that slows the engine down stops its
# jobs, or lets them hurry again.
WATCHED = 0.5


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


@contextmanager
def opening(browser: Browser, studio: Studio) -> Iterator[Place]:
    """`studio` served, and one browser for its tests: what that has loaded once, it need not load again."""
    with studio, serving(build_app(studio)) as server:
        context = new_context(browser, server.url)
        yield Place(studio, server, context)
        context.close()


@pytest.fixture(scope="session")
def plain(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Sketches at once, without plugins: what is typed here, braces too, must reach the page as it is."""
    settings = load_settings(data=tmp_path_factory.mktemp("plain"), safe_mode=True)
    with opening(browser, Studio(settings=settings, engine=SketchEngine())) as place:
        yield place


@pytest.fixture(scope="session")
def bundled(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Sketches at once, with the bundled plugins."""
    settings = load_settings(data=tmp_path_factory.mktemp("bundled"))
    plugins = Plugins(settings.data)
    studio = Studio(settings=settings, engine=SketchEngine(plugins=plugins), plugins=plugins)
    with opening(browser, studio) as place:
        yield place


@pytest.fixture(scope="module")
def place(plain: Place) -> Place:
    """Where a module's tests happen; a module that needs another studio has a fixture of this name."""
    return plain


@pytest.fixture
def studio(place: Place) -> Studio:
    return place.studio


@pytest.fixture
def server(place: Place) -> Server:
    return place.server


@pytest.fixture
def pace(studio: Studio) -> Iterator[Pace]:
    """Slows the sketching down for a test that looks at it; call it with other seconds a step."""
    engine = studio.engine
    assert isinstance(engine, SketchEngine)

    def change(seconds: float) -> None:
        engine.step_seconds = seconds

    change(WATCHED)
    yield change
    change(0.0)


@pytest.fixture
def person(browser: Browser, server: Server) -> Iterator[Callable[..., Desk]]:
    """Opens the page as somebody new each time; their scripts must have run without an error."""
    desks: list[Desk] = []

    def new(link: str = "", **settings: Any) -> Desk:
        desks.append(new_desk(browser, link or f"{server.url}/", **settings))
        return desks[-1]

    yield new
    for desk in desks:
        desk.context.close()
    assert [error for desk in desks for error in desk.errors] == []


@pytest.fixture
def desk(place: Place) -> Iterator[Desk]:
    """The page as somebody new sees it."""
    yield from _fresh(place, f"{place.server.url}/")


@pytest.fixture
def owner(place: Place) -> Iterator[Desk]:
    """The page as the owner sees it."""
    yield from _fresh(place, place.server.start_link)


def _fresh(place: Place, link: str) -> Iterator[Desk]:
    context: BrowserContext = place.context
    context.clear_cookies()
    opened = Desk(context, link)
    yield opened
    for page in context.pages:
        page.evaluate("localStorage.clear()")
        page.close()
    assert opened.errors == []
