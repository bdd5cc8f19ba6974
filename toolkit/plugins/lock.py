"""Which plugins the owner allowed, each by the hash of its files: one that changed since asks again."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

from toolkit.errors import PluginError

FILE = "plugins.lock"
HEAD = "# Plugins that may be loaded, by the SHA-256 of their files; written by `launch.py plugins`.\n"
SKIPPED = frozenset({"__pycache__", ".git", ".pytest_cache", ".ruff_cache", ".DS_Store", "Thumbs.db"})
MAX_FILES, MAX_BYTES = 5_000, 500_000_000
_TEXT = frozenset({".py", ".toml", ".txt", ".md", ".css", ".js", ".html", ".svg", ".json", ".yaml", ".yml", ".cube"})


def files_of(folder: Path) -> Iterator[Path]:
    """The files that make up a plugin, sorted by their names inside it; what Python and systems leave is skipped.

    Raises PluginError for links, which could lead to files that change unnoticed, and for far too much.
    """
    found, size = [], 0
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        for name in [*folders, *names]:
            if (Path(root) / name).is_symlink():
                raise PluginError(f"“{name}” in it is a link; a plugin must hold its files itself.")
        for name in names:
            if name not in SKIPPED and not name.endswith((".pyc", ".pyo")):
                path = Path(root) / name
                found.append(path)
                size += path.stat().st_size
        if len(found) > MAX_FILES or size > MAX_BYTES:
            raise PluginError(f"It has more than {MAX_FILES:,} files or {MAX_BYTES // 1_000_000} MB.")
    yield from sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def fingerprint(folder: Path) -> str:
    """The SHA-256 of names and contents; line ends count as one, so that a checkout on Windows has the same."""
    digest = hashlib.sha256()
    for path in files_of(folder):
        content = path.read_bytes()
        if path.suffix.lower() in _TEXT:
            content = content.replace(b"\r\n", b"\n")
        name = path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape")
        digest.update(b"%d %s %d\n" % (len(name), name, len(content)))
        digest.update(content)
    return digest.hexdigest()


class Lock:
    """A file of names, versions and hashes; a file that can't be read allows nothing and is named in `problem`."""

    def __init__(self, path: Path) -> None:
        self.path, self.problem = path, ""
        self._allowed: dict[str, dict[str, str]] = {}
        try:
            plain = tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            self.problem = f"{path} can't be read, so it allows nothing: {error}"
            return
        for name, entry in plain.items():
            if isinstance(entry, dict) and isinstance(entry.get("sha256"), str):
                self._allowed[name] = {"version": str(entry.get("version", "")), "sha256": entry["sha256"]}

    def __contains__(self, name: str) -> bool:
        return name in self._allowed

    def hash(self, name: str) -> str | None:
        """The hash that was allowed; None for a plugin that never was."""
        entry = self._allowed.get(name)
        return entry["sha256"] if entry else None

    def allow(self, name: str, version: str, sha256: str) -> None:
        self._allowed[name] = {"version": version, "sha256": sha256}
        self._write()

    def forget(self, name: str) -> None:
        if self._allowed.pop(name, None) is not None:
            self._write()

    def _write(self) -> None:
        tables = (
            f"\n[{name}]\nversion = {json.dumps(entry['version'])}\nsha256 = {json.dumps(entry['sha256'])}\n"
            for name, entry in sorted(self._allowed.items())
        )
        write_whole(self.path, HEAD + "".join(tables))


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole or not at all; PluginError when it can't be."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, "utf-8", newline="\n")
        os.replace(part, path)
    except OSError as error:
        raise PluginError(f"{path} can't be written ({error.strerror or error}).")
