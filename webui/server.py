"""Serves the page: builds the studio and the app around it, prints the start link, and ends cleanly.

This process never imports torch. The engine's own process starts once the first page is open, so that the page is
there at once and the engine warms up while somebody types.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette

from toolkit.errors import SettingsError
from toolkit.opening import FORMATS
from toolkit.request import STARTER
from webui.feed import Feed
from webui.guard import Guard
from webui.janitor import Janitor
from webui.visitors import Keys

if TYPE_CHECKING:
    import gradio as gr

    from toolkit.settings import Settings
    from toolkit.studio import Studio

log = logging.getLogger(__name__)

FIRST_PORT, LAST_PORT = 7860, 7959
ENGINE_WAITS = 3.0
SHUTDOWN_WAITS = 2
MAX_EVENTS, MAX_SESSIONS = 400, 250
# Pillow refuses twice as many. The studio's own largest pictures have 8192 × 8192; people's are held to less.
MAX_PIXELS = 45_000_000
ENVIRONMENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "GRADIO_ALLOWED_PATHS": "",
    "GRADIO_ROOT_PATH": "",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_MCP_SERVER": "False",
    "GRADIO_SSR_MODE": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


class App:
    """The whole app of one studio, ready for a server; `guard` is the ASGI app, everything else is behind it."""

    def __init__(self, studio: Studio, keys: Keys, note: Callable[[], str] | None = None) -> None:
        from webui.page import asset_routes, build_page, look
        from webui.routes import limner_routes
        from webui.tabs import built_tabs

        self.studio, self.keys = studio, keys
        self.feed = Feed(studio, note)
        self.blocks = build_page(studio)
        routes = limner_routes(studio, self.feed, built_tabs(self.blocks))
        inside = Starlette(routes=[*routes, *asset_routes()], lifespan=self._lifespan)
        self.gradio_app = _mount(inside, self.blocks, look(), [studio.settings.data, *studio.settings.models])
        self.guard = Guard(inside, keys)

    def close_streams(self) -> None:
        """End the connections that pages hold open; a server waits for them otherwise."""
        self.feed.close()
        self.gradio_app.stop_event.set()

    @asynccontextmanager
    async def _lifespan(self, _: Any) -> AsyncIterator[None]:
        self.feed.start()
        try:
            yield
        finally:
            self.feed.close()


def build_app(studio: Studio, keys: Keys | None = None, note: Callable[[], str] | None = None) -> App:
    """The app for a studio; `keys` are those of its data folder unless others are given."""
    private_environment(studio.settings.data)
    hold_pillow()
    return App(studio, keys or Keys.load(studio.settings.data), note)


def private_environment(data: Path) -> None:
    """Keep Gradio off the network and in a folder of its own; it reads this when it is imported."""
    os.environ.update(ENVIRONMENT)
    temporary = data / "gradio"
    temporary.mkdir(parents=True, exist_ok=True)
    temporary.chmod(0o700)
    os.environ["GRADIO_TEMP_DIR"] = str(temporary)


def hold_pillow() -> None:
    """Leave Pillow the formats of pictures: Gradio opens files with all that it knows, PostScript among them."""
    Image.init()
    Image.ID[:] = [kind for kind in Image.ID if kind in FORMATS]
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def _mount(app: Starlette, blocks: gr.Blocks, look: dict[str, Any], private: list[Path]) -> Any:
    """Put Gradio into the app, with everything shut that the page doesn't use; returns Gradio's own app."""
    import gradio as gr

    blocks.queue(max_size=MAX_EVENTS, default_concurrency_limit=None, api_open=False, status_update_rate=2)
    blocks.state_session_capacity = MAX_SESSIONS
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        app_kwargs={"openapi_url": None},
        footer_links=[],
        allowed_paths=[],
        blocked_paths=[str(path) for path in private],
        show_error=False,
        max_file_size="20mb",
        enable_monitoring=False,
        run_history=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        **look,
    )
    return app.routes[-1].app


class Server(uvicorn.Server):
    """Serves an app on a socket that is already open; `on_ready` is called once pages can be fetched."""

    def __init__(self, app: App, opened: socket.socket, on_ready: Callable[[], None] = lambda: None) -> None:
        super().__init__(
            uvicorn.Config(
                app.guard,
                lifespan="on",
                ws="none",
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=SHUTDOWN_WAITS,
            )
        )
        self._app, self._opened, self._on_ready = app, opened, on_ready
        host, self.port = opened.getsockname()[:2]
        self.url = f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def start_link(self) -> str:
        """The address that makes a browser the owner's."""
        return f"{self.url}/?t={self._app.keys.owner_token}"

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        super().run(sockets or [self._opened])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.close_streams()
        await super().shutdown(sockets)


@contextmanager
def serving(app: App, port: int = 0) -> Iterator[Server]:
    """Serve `app` on a thread while the context lasts, on any free port unless one is given."""
    ready = threading.Event()
    server = Server(app, open_socket("127.0.0.1", port), ready.set)
    thread = threading.Thread(target=server.run, name="limner-server", daemon=True)
    thread.start()
    try:
        while not ready.wait(0.1):
            if not thread.is_alive():
                raise RuntimeError("The server did not start.")
        yield server
    finally:
        server.should_exit = True
        thread.join(timeout=15)


class EngineGate:
    """Holds the engine back until a page is open or nobody came for a while, and its packages are in."""

    def __init__(self, packages_in: Callable[[], bool] | None) -> None:
        self._packages_in = packages_in
        self._page_open = threading.Event()

    def __call__(self) -> bool:
        return self._page_open.is_set() and (self._packages_in is None or self._packages_in())

    def note(self) -> str:
        return getattr(self._packages_in, "note", "") or ""

    def open_soon(self, app: App) -> None:
        """On a thread: open at the first page, or after a while, and have the starter loaded."""
        app.feed.first_page.wait(ENGINE_WAITS)
        self._page_open.set()
        app.studio.engine.warm(STARTER)


def serve(settings: Settings, *, open_browser: bool, ready_when: Callable[[], bool] | None = None) -> int:
    """Serve the page until Ctrl+C; returns the exit code.

    `ready_when` says whether the packages that draw are in; its `note`, if it has one, is shown while they are not.
    """
    from toolkit.studio import Studio

    began = time.monotonic()
    opened = open_socket(settings.host, settings.port)
    private_environment(settings.data)
    _leave_the_checkout(settings.data)
    keys = Keys.load(settings.data)
    import webui.page  # noqa: F401  Gradio takes seconds to import, and the engine must not compete for them

    gate = EngineGate(ready_when)
    with (
        Studio(settings=settings, engine="process", ready_when=gate) as studio,
        Janitor(settings.data / "gradio"),
    ):
        app = build_app(studio, keys, gate.note)

        def ready() -> None:
            log.info("the page was ready after %.1f s", time.monotonic() - began)
            print(f"Limner is ready. Open this link, it is yours: {server.start_link}", flush=True)
            threading.Thread(target=gate.open_soon, args=(app,), name="limner-gate", daemon=True).start()
            if open_browser:
                link = f"{server.url}/?t={app.guard.ticket()}"
                threading.Thread(target=webbrowser.open, args=(link,), name="limner-browser", daemon=True).start()

        server = Server(app, opened, ready)
        try:
            server.run()
        except KeyboardInterrupt:
            pass
        print("Limner is closing.", flush=True)
    return 0 if server.started else 1


def open_socket(host: str, port: int | None) -> socket.socket:
    """Listen on `port`, or on the first free one from 7860 when it is None; raise SettingsError when that can't be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(FIRST_PORT, LAST_PORT + 1) if port is None else [port]:
        opened = socket.socket(family, socket.SOCK_STREAM)
        if sys.platform == "win32":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((host, candidate))
            opened.listen(1024)
        except OSError:
            opened.close()
            continue
        if port is None and candidate != FIRST_PORT:
            print(f"Port {FIRST_PORT} is busy; using {candidate}.", flush=True)
        return opened
    wanted = f"The port {port} is" if port is not None else f"All ports from {FIRST_PORT} to {LAST_PORT} are"
    raise SettingsError(f"{wanted} in use on {host}; end the other program or choose another with --port.")


def _leave_the_checkout(data: Path) -> None:
    """Work from an empty folder: Gradio hands out files below the working directory when a value names them."""
    sys.path[:] = [os.path.abspath(entry) for entry in sys.path]
    runtime = data / "runtime"
    runtime.mkdir(parents=True, exist_ok=True)
    os.chdir(runtime)
