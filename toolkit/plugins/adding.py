"""`plugins add`: takes a plugin from a folder, a ZIP file or a git address, shows it, and puts it into its place."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from toolkit.errors import PluginError
from toolkit.plugins.lock import MAX_BYTES, MAX_FILES, SKIPPED, files_of
from toolkit.plugins.manifest import FILE, NAME, Manifest, read_manifest

_GIT = ("https://", "ssh://", "git@", "file://")


@dataclass(frozen=True, slots=True)
class Offer:
    """A plugin that could be added: what the owner is shown before saying yes."""

    name: str
    folder: Path
    manifest: Manifest
    files: tuple[str, ...]

    def lines(self) -> list[str]:
        """The manifest and the files as lines of text."""
        m = self.manifest
        return [
            f"{m.title or self.name} {m.version}".strip() + (f": {m.description}" if m.description else ""),
            f"  author:   {m.author or 'not said'}",
            f"  licence:  {m.license or 'not said'}",
            f"  needs:    {', '.join(m.requires) or 'no other packages'}",
            f"  network:  {'it says that it uses the network' if m.network else 'it says that it uses none'}",
            f"  files:    {len(self.files)}",
            *(f"    {name}" for name in self.files[:40]),
            *([f"    and {len(self.files) - 40} more"] if len(self.files) > 40 else []),
        ]


@contextmanager
def fetch(source: str) -> Iterator[Offer]:
    """The plugin at `source`, in a folder that is gone afterwards; nothing of it is run. Raises PluginError."""
    with tempfile.TemporaryDirectory(prefix="limner-plugin-") as temporary:
        path = Path(source).expanduser()
        if path.is_dir():
            folder = path.resolve()
        elif path.is_file():
            folder = _unzip(path, Path(temporary))
        elif source.startswith(_GIT):
            folder = _clone(source, Path(temporary))
        else:
            raise PluginError(f"“{source}” is no folder, no ZIP file and no git address.")
        yield _offer(folder, source)


def place(offer: Offer, plugins: Path) -> Path:
    """Copy an offered plugin into `plugins`, whole or not at all."""
    target = plugins / offer.name
    if target.exists():
        raise PluginError(f"There is a plugin “{offer.name}” in {target}: remove that folder first.")
    part = plugins / f".{offer.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        for name in offer.files:
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(offer.folder / name, part / name)
        os.replace(part, target)
    except OSError as error:
        raise PluginError(f"{target} can't be written ({error.strerror or error}).")
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _offer(folder: Path, source: str) -> Offer:
    manifest = read_manifest(folder)
    name = folder.name
    if not NAME.fullmatch(name):
        stem = PurePosixPath(source.rstrip("/")).name.removesuffix(".git").removesuffix(".zip")
        name = stem.lower().removeprefix("limner-").replace("-", "_")
    if not NAME.fullmatch(name):
        raise PluginError(f"“{name}” can't be a plugin's name: name its folder with small letters, digits and _.")
    return Offer(name, folder, manifest, tuple(path.relative_to(folder).as_posix() for path in files_of(folder)))


def _unzip(path: Path, target: Path) -> Path:
    """Only plain files below `target`, and not more than a plugin has; names in a ZIP can say anything."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            if len(members) > MAX_FILES or sum(one.file_size for one in members) > MAX_BYTES:
                raise PluginError(f"{path.name} holds more than {MAX_FILES:,} files or {MAX_BYTES // 1_000_000} MB.")
            for one in members:
                name = PurePosixPath(one.filename.replace("\\", "/"))
                if name.is_absolute() or ".." in name.parts or ":" in one.filename or (one.external_attr >> 28) == 0xA:
                    raise PluginError(f"{path.name} holds “{one.filename[:80]}”, which leads out of its folder.")
                if not SKIPPED & set(name.parts):
                    _copy_member(archive, one, target / name)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise PluginError(f"{path.name} can't be unpacked: {error}.")
    return _only_plugin(target, path.name, path.stem)


def _copy_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as packed, target.open("wb") as file:
        shutil.copyfileobj(packed, file)


def _clone(address: str, target: Path) -> Path:
    environ = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    stem = PurePosixPath(address.rstrip("/")).name.removesuffix(".git")
    folder = target / stem.lower().removeprefix("limner-").replace("-", "_")
    command = ["git", "-c", "core.hooksPath=", "clone", "--quiet", "--depth", "1", "--", address, str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=300)
    except FileNotFoundError:
        raise PluginError("git is not installed; download the plugin as a ZIP file and add that.")
    except subprocess.TimeoutExpired:
        raise PluginError(f"{address} did not answer within five minutes.")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["git failed"])[-1]
        raise PluginError(f"{address} can't be fetched: {last}")
    return _only_plugin(folder, address, folder.name)


def _only_plugin(folder: Path, source: str, name: str) -> Path:
    """The one folder with a manifest: `folder` itself, or the one inside it."""
    if (folder / FILE).is_file():
        # A plugin packed without its folder takes its name from the file.
        better = folder.with_name(f"{folder.name}-named") / name.lower().removeprefix("limner-").replace("-", "_")
        if folder.name != better.name:
            better.parent.mkdir(exist_ok=True)
            return Path(shutil.copytree(folder, better, ignore=shutil.ignore_patterns(*SKIPPED)))
        return folder
    inner = [one for one in folder.iterdir() if one.is_dir() and (one / FILE).is_file()] if folder.is_dir() else []
    if len(inner) != 1:
        raise PluginError(f"{source} holds {len(inner) or 'no'} folders with a {FILE}; it must hold one.")
    return inner[0]
