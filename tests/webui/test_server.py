"""The page's process: light, silent towards the outside, picky about pictures, and closed where nobody needs it."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.webui.people import ask, bomb, wait_for
from webui.guard import OPEN_TO_READ, OPEN_TO_WRITE
from webui.server import MAX_PIXELS, App, Server, hold_pillow

Person = Callable[[], httpx.Client]
ROOT = Path(__file__).resolve().parents[2]
MARKER = "a marker-of-carol heart"

SERVE = """
import json, sys
reached = []
def hook(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        reached.append(str(arguments[1][0]))
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        reached.append(str(arguments[0]))
sys.addaudithook(hook)
from toolkit.studio import Studio
from webui.server import build_app, serving
import httpx
with Studio(data=sys.argv[1], engine="process", ready_when=lambda: False) as studio, \\
        serving(build_app(studio)) as server:
    client = httpx.Client(base_url=server.url, timeout=60)
    pages = {path: client.get(path).status_code for path in ("/", "/config", "/theme.css", "/limner/catalogue")}
heavy = {"torch", "diffusers", "transformers", "peft", "controlnet_aux", "spandrel", "matplotlib"} & set(sys.modules)
print(json.dumps({"pages": pages, "heavy": sorted(heavy), "reached": sorted(set(reached))}))
"""


def test_the_pages_process_is_light_and_reaches_nobody(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=240, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["pages"].values()) == {200}, found
    assert found["heavy"] == [], "what draws belongs into the engine's process"
    assert set(found["reached"]) <= {"127.0.0.1", "localhost", "::1", "None", "0.0.0.0"}, found["reached"]


def paths(routes: Any) -> Iterator[str]:
    for route in routes:
        if hasattr(route, "path"):
            yield route.path
        else:
            yield from paths(route.original_router.routes)


def test_no_route_of_gradios_tells_of_others_or_hangs(server: Server, app: App, person: Person) -> None:
    carol, dave = person(), person()
    wait_for(carol, ask(carol, MARKER))
    answers: dict[int, int] = {}
    for found in paths(app.gradio_app.routes):
        for method in ("GET", "POST"):
            path = re.sub(r"\{[^}]*\}", "x", found)
            # An event stream never ends: its first bytes are all that is waited for.
            request = dave.build_request(method, path, json={} if method == "POST" else None, timeout=3)
            answer = dave.send(request, stream=True)
            try:
                start = next(answer.iter_raw(), b"") if answer.headers.get("content-length") != "0" else b""
            except httpx.ReadTimeout:
                start = b""
            finally:
                answer.close()
            answers[answer.status_code] = answers.get(answer.status_code, 0) + 1
            assert b"marker-of-carol" not in start, path
            wanted = OPEN_TO_READ if method == "GET" else OPEN_TO_WRITE
            if not wanted.fullmatch(path) and not path.startswith("/limner/"):
                assert answer.status_code == 404, f"{method} {path} is open"
    assert answers.get(404, 0) > 20, answers


def test_pillow_opens_pictures_only_and_none_without_end() -> None:
    hold_pillow()
    postscript = io.BytesIO(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(postscript)
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        file = io.BytesIO()
        Image.new("RGB", (9, 9)).save(file, kind)
        assert Image.open(file).size == (9, 9)
    assert 2 * MAX_PIXELS < 14_000**2
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(bomb(14_000, 14_000)))
