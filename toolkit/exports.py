"""Other files of a saved picture (an SVG, a transparent PNG), made when they are asked for and kept beside it."""

from __future__ import annotations

import io
import os
import threading
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import RequestError, StorageError
from toolkit.plain_names import shareable
from toolkit.plugins.calls import export, sign

if TYPE_CHECKING:
    from toolkit.entries import Entry
    from toolkit.plugins.descriptors import Exporter
    from toolkit.plugins.plugins import Plugins

FOLDER = "exports"
MAX_PIXELS = 16_000_000


def export_path(picture: Path, name: str, suffix: str) -> Path:
    """Where an exporter's file of a picture lies: exports/PICTURE-NAME.SUFFIX in the picture's folder."""
    return picture.parent / FOLDER / f"{picture.stem}-{name}.{suffix}"


def exports_of(picture: Path) -> list[Path]:
    """All files that were made from a picture."""
    return sorted((picture.parent / FOLDER).glob(f"{escape(picture.stem)}-*.*"))


class Exports:
    """Makes each file once, one at a time: tracing a picture takes a whole core for a while."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._lock = threading.Lock()

    def exporter(self, name: str) -> Exporter:
        """The exporter of a name; RequestError that names the others when there is none."""
        exporters = self._plugins.registry.exporters()
        if name not in exporters:
            there = ", ".join(exporters) or "none: no plugin that has any is active"
            raise RequestError("export", f"Pictures can't be saved as “{name}”; there are {there}.")
        return exporters[name].noun

    def file(self, entry: Entry, name: str) -> Path:
        """The file of a picture, made now unless it was before.

        Raises RequestError for a picture that can't become one, PluginError when the plugin fails, StorageError.
        """
        exporter = self.exporter(name)
        path = export_path(entry.path, name, exporter.suffix)
        if path.is_file():
            return path
        if entry.width * entry.height > MAX_PIXELS:
            size = f"{entry.width} × {entry.height}"
            raise RequestError("export", f"The picture has {size} pixels; at most 16 million can be turned into this.")
        with self._lock:
            if not path.is_file():
                self._make(entry, name, path)
        return path

    def _make(self, entry: Entry, name: str, path: Path) -> None:
        from PIL import Image

        try:
            content = entry.path.read_bytes()
            with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
                image.load()
                made = export(self._plugins, name, image, shareable(entry.request))
        except OSError as error:
            raise StorageError(f"The picture {entry.path.name} can't be read ({error.strerror or error}).")
        if path.suffix == ".png":
            made = sign(self._plugins, made, shareable(entry.request))
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(made)
            os.replace(part, path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise StorageError(f"{path} can't be written ({error.strerror or error}).")

