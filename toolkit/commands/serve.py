"""`launch.py serve`: opens the page; what draws may still be arriving in the background."""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from typing import TYPE_CHECKING, Mapping

from toolkit import environment
from toolkit.commands.attention_flag import add_attention
from toolkit.errors import InstallError, SettingsError

if TYPE_CHECKING:
    from toolkit.settings import Settings

HELP = "open the page (what happens without a command)"
RETRY_SECONDS = 60.0

# Variables with which Gradio opens a page to others, behind the studio's back.
_SHARING = (
    "GRADIO_SHARE",
    "GRADIO_SHARE_SERVER_ADDRESS",
    "GRADIO_SERVER_NAME",
    "GRADIO_NODE_SERVER_NAME",
    "GRADIO_ROOT_PATH",
    "GRADIO_ALLOWED_PATHS",
    "GRADIO_MCP_SERVER",
)
_HARMLESS = {"", "0", "false", "no", "off", "127.0.0.1", "localhost", "::1"}

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, metavar="N", help="exactly this port (default: 7860, or the next free one)")
    parser.add_argument("--host", metavar="ADDRESS", help="address to listen on; only this machine's own for now")
    parser.add_argument("--no-browser", action="store_true", help="don't open the page in the browser")
    parser.add_argument("--dtype", choices=("auto", "float32", "float16", "bfloat16"), help="precision of the drawing")
    add_attention(parser)
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads for drawing")
    parser.add_argument("--share", action="store_true", help=argparse.SUPPRESS)


def check(args: argparse.Namespace, environ: Mapping[str, str]) -> None:
    """Refuse everything that would open the page to other machines: the studio can't keep visitors apart yet."""
    if args.share:
        raise SettingsError("--share doesn't work yet: the page opens on this machine only.")
    if args.host is not None and args.host.lower() not in ("127.0.0.1", "localhost", "::1"):
        raise SettingsError(
            f"--host {args.host} doesn't work yet: the page opens on this machine only, at 127.0.0.1, localhost or ::1."
        )
    for name in _SHARING:
        if environ.get(name, "").strip().lower() not in _HARMLESS:
            raise SettingsError(
                f"The environment variable {name} would open the page to others, which doesn't work yet: unset it and "
                "start again."
            )


def run(args: argparse.Namespace, settings: Settings) -> int:
    from webui.server import serve

    arrival = Arrival(getattr(args, "torch_index", None))
    arrival.start()
    try:
        return serve(settings, open_browser=not args.no_browser, ready_when=arrival)
    finally:
        arrival.close()


class Arrival:
    """Brings in the packages that draw, on a thread; calling it tells whether they are in.

    `note` is a sentence for the page on what is arriving, or why nothing is; "" once all is in.
    """

    def __init__(self, torch_index: str | None = None) -> None:
        self.note = ""
        self._torch_index = torch_index
        self._closed = threading.Event()
        self._installer = None
        self._ready = not environment.missing(["engine"]) and torch_index is None

    def __call__(self) -> bool:
        return self._ready

    def start(self) -> None:
        if not self._ready:
            self.note = "The packages that draw are arriving; you can look around and queue pictures meanwhile."
            threading.Thread(target=self._install, name="limner-install", daemon=True).start()

    def close(self) -> None:
        """End an installation that is under way; the next start goes on from there."""
        self._closed.set()
        if self._installer is not None:
            self._installer.stop()

    def _install(self) -> None:
        from toolkit.installer import Installer

        while not self._closed.is_set():
            self._installer = Installer(environment.HOME, environment.ROOT, self._tell)
            try:
                self._installer.install(["engine"], self._torch_index)
            except InstallError as error:
                if self._closed.is_set():
                    return
                self.note = f"{error} It is tried again every minute."
                log.warning(self.note)
                self._closed.wait(RETRY_SECONDS)
            else:
                self.note, self._ready = "", True
                print("The packages that draw are in.", file=sys.stderr, flush=True)
                return

    def _tell(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)
        if line.lstrip().startswith(("Downloading", "Collecting", "Building")):
            self.note = f"The packages that draw are arriving: {line.strip()[:80]}."
