"""Writes plugins from source text, for the tests about loading and calling them."""

from __future__ import annotations

from pathlib import Path

from toolkit.plugins.plugins import Plugins

HEAD = "from toolkit.plugins.api import *\n"
MANIFEST = 'api = 1\ntitle = "{name}"\nversion = "1.0"\n'


def write(place: Path, name: str, source: str | None = "", manifest: str | None = MANIFEST) -> Path:
    folder = place / name
    folder.mkdir(parents=True)
    if manifest is not None:
        (folder / "plugin.toml").write_text(manifest.format(name=name), "utf-8")
    if source is not None:
        (folder / "__init__.py").write_text(HEAD + source, "utf-8")
    return folder


def load(tmp_path: Path, **sources: str) -> Plugins:
    """Plugins with the owner's permission, one for each name and source."""
    for name, source in sources.items():
        write(tmp_path / "given", name, source)
    return Plugins(tmp_path / "data", own=None, given=[tmp_path / "given"])
