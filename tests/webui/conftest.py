"""A real studio with the sketch engine, served by the real server, and people with cookies of their own.

A module's tests share the studio: everybody in it is somebody new, whom what others did there must not concern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.webui.people import paper_settings
from toolkit.engine.sketch import SketchEngine
from toolkit.settings import Settings
from toolkit.studio import Studio
from webui.server import App, Server, build_app, serving


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return paper_settings(tmp_path_factory.mktemp("paper"))


@pytest.fixture(scope="module")
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings=settings, engine=SketchEngine(step_seconds=0.01)) as opened:
        yield opened


@pytest.fixture(scope="module")
def app(studio: Studio) -> App:
    return build_app(studio)


@pytest.fixture(scope="module")
def server(app: App) -> Iterator[Server]:
    with serving(app) as running:
        yield running


@pytest.fixture
def person(server: Server) -> Iterator[Callable[[], httpx.Client]]:
    """Makes people: each call is a browser that has opened the page for the first time."""
    clients: list[httpx.Client] = []

    def new() -> httpx.Client:
        client = httpx.Client(base_url=server.url, timeout=60)
        clients.append(client)
        assert client.get("/").status_code == 200
        return client

    yield new
    for client in clients:
        client.close()
