"""The page: what it is made of, how it looks, and the files it needs beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from webui.create_tab import build_create
from webui.tabs import build_pages
from webui.theme import LimnerTheme
from webui.view import head, shell

if TYPE_CHECKING:
    from toolkit.studio import Studio

ASSETS = Path(__file__).parent / "assets"


def build_page(studio: Studio) -> gr.Blocks:
    """Everything one browser tab shows; give `look()` to its launch, and `asset_routes()` to the app around it."""
    with gr.Blocks(title="Limner", analytics_enabled=False, fill_width=True) as page:
        shell("top")
        build_create(studio, page)
        build_pages(studio)
        shell("bottom")
    return page


def look() -> dict[str, Any]:
    """The keyword arguments of `launch` and `mount_gradio_app` that make the page look like itself."""
    return {"theme": LimnerTheme(), "head": head(_version())}


def asset_routes() -> list[Mount]:
    """The page's own scripts, style sheets, font and example pictures, at /limner/assets."""
    return [Mount("/limner/assets/{version}", _Kept(directory=ASSETS))]


class _Kept(StaticFiles):
    """Files that a browser may keep for good: their address changes with their contents."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def _version() -> str:
    digest = hashlib.sha256()
    for path in sorted(ASSETS.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
