"""Where models are: folders as Limner, A1111 and ComfyUI lay them out, used in place, and the list that keeps them.

A place is a folder, or a text file that lists folders, one a line; the list is read again when it changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from toolkit.comfy_paths import extra_paths
from toolkit.errors import ModelError
from toolkit.kinds import KINDS

LIST = "model-folders.txt"
SUFFIXES = (".safetensors", ".sft")
# Formats that can carry code; they are named with a remedy and never opened.
PICKLES = (".ckpt", ".pt", ".pth", ".bin")
DEPTH = 8
_WEIGHTS = (*SUFFIXES, *PICKLES)

# The folders of each kind, as A1111 and its forks, ComfyUI and Limner call them; case doesn't count.
_NAMES = {
    "checkpoint": ("checkpoints", "stable-diffusion"),
    "vae": ("vae",),
    "lora": ("loras", "lora", "lycoris"),
    "embedding": ("embeddings",),
    "controlnet": ("controlnet",),
    "upscaler": ("upscalers", "upscale_models", "esrgan", "realesrgan", "swinir", "dat", "hat", "scunet"),
}
_KIND_OF = {name: kind for kind, names in _NAMES.items() for name in names}


class ModelFolders:
    """The folders of every kind of model inside `places`, in the order of the places."""

    def __init__(self, places: Sequence[Path | str]) -> None:
        self.places = tuple(Path(place) for place in places)

    def roots(self) -> list[Path]:
        """The folders themselves, lists read; without those that are listed twice."""
        found: dict[Path, None] = {}
        for place in self.places:
            for folder in read_list(place) if place.suffix == ".txt" else [place]:
                found[folder] = None
        return list(found)

    def missing(self) -> list[str]:
        """A sentence for each listed folder that is gone, and for each file of further folders that can't be read."""
        listed = [folder for place in self.places if place.suffix == ".txt" for folder in read_list(place)]
        remedy = "plug in its disk, or let go of it with `launch.py models remove`"
        gone = [f"The folder {folder} isn't there: {remedy}." for folder in listed if not folder.is_dir()]
        return gone + [text for root in self.roots() if (text := _fault_of(root))]

    def paths(self, kind: str) -> list[Path]:
        """Folders to look into for models of a kind; a folder without any known layout is looked into for each."""
        found: dict[Path, None] = {}
        for root in self.roots():
            for folder in _of_kind(root, kind):
                found[folder] = None
        return list(found)

    @staticmethod
    def kind_at(path: Path) -> str | None:
        """The kind that the nearest folder with a known name stands for."""
        return next((_KIND_OF[one.name.lower()] for one in path.parents if one.name.lower() in _KIND_OF), None)

    def files(self, kind: str, problems: list[str]) -> Iterator[Found]:
        """Weights in the folders of a kind, those in folders below too; `problems` gets what can't be read.

        A diffusers folder comes as one and isn't looked into.
        """
        seen: set[str] = set()
        for folder in self.paths(kind):
            real = os.path.realpath(folder)
            if real not in seen:
                seen.add(real)
                yield from walk(folder, problems)


class Found(NamedTuple):
    """A file of weights or a diffusers folder; `names` are those of everything beside it.

    `listed` says that it was come across, not asked for: what is no model is then passed over.
    """

    path: str
    name: str
    folder: bool
    stat: os.stat_result
    names: frozenset[str]
    listed: bool = True

    @property
    def stamp(self) -> tuple[int, int]:
        """What changes when the file does."""
        return self.stat.st_mtime_ns, self.stat.st_size


def find_at(path: Path) -> Found:
    """The same for one file or folder; raise OSError when it isn't there."""
    stat = path.stat()
    return Found(str(path), path.name, path.is_dir(), stat, frozenset(os.listdir(path.parent)))


def walk(folder: Path | str, problems: list[str], depth: int = DEPTH) -> Iterator[Found]:
    """Files of weights and diffusers folders below a folder, by name; a folder that isn't there holds nothing."""
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name.lower())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        problems.append(f"The folder {folder} can't be read ({why}): give yourself the right to read it, or remove it.")
        return
    names = frozenset(entry.name for entry in inside)
    for entry in inside:
        if entry.name.startswith("."):
            continue
        if entry.name.lower().endswith(_WEIGHTS):
            try:
                yield Found(entry.path, entry.name, False, entry.stat(), names)
            except OSError as error:
                problems.append(f"{entry.path} can't be read ({error.strerror}): a link may point to nothing.")
        elif depth and entry.is_dir() and not (entry.is_symlink() and _leads_back(entry.path, folder)):
            if os.path.exists(os.path.join(entry.path, "model_index.json")):
                yield Found(entry.path, entry.name, True, entry.stat(), names)
            else:
                yield from walk(entry.path, problems, depth - 1)


def _leads_back(link: str, folder: Path | str) -> bool:
    """Whether a link leads to a folder that it stands in."""
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(link))


def _of_kind(root: Path, kind: str) -> Iterator[Path]:
    """A folder of models is laid out by kind, or belongs to one kind by its name, or holds anything."""
    laid_out = False
    for base in (root, root / "models"):
        for folder in _subfolders(base):
            known = _KIND_OF.get(folder.name.lower())
            laid_out = laid_out or known is not None
            if known == kind:
                yield folder
    if not _fault_of(root):
        for name, folders in extra_paths(root).items():
            if _KIND_OF.get(name) == kind:
                yield from folders
    own = _KIND_OF.get(root.name.lower())
    if own is not None and root.parent.name.lower() == "models":
        # `models/checkpoints` stands for the whole of `models`, whose other folders hold the rest.
        yield from (folder for folder in _subfolders(root.parent) if _KIND_OF.get(folder.name.lower()) == kind)
    elif own == kind or (own is None and not laid_out):
        yield root


def _fault_of(root: Path) -> str | None:
    """Why ComfyUI's list of further folders in `root` can't be read, None when it can or isn't there."""
    try:
        extra_paths(root)
    except ModelError as error:
        return str(error)
    return None


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if one.is_dir())
    except OSError:
        return []


def read_list(path: Path) -> list[Path]:
    """The folders in a list; none when there is no list yet."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} can't be read ({type(error).__name__}): mend it or delete it.") from error
    return [Path(line.strip()).expanduser() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def add_folder(path: Path, folder: Path | str) -> Path:
    """Add a folder to a list; raise ModelError for one that isn't there, can't be read, or is in it."""
    folder = Path(os.path.abspath(Path(folder).expanduser()))
    if not folder.is_dir():
        raise ModelError(f"There is no folder {folder}: give the folder of A1111, ComfyUI or your models.")
    try:
        os.listdir(folder)
    except OSError as error:
        raise ModelError(f"The folder {folder} can't be read ({error.strerror}): choose one that you may read.")
    folders = read_list(path)
    if folder in folders:
        raise ModelError(f"{folder} is in the list already.")
    _write_list(path, [*folders, folder])
    return folder


def remove_folder(path: Path, folder: Path | str) -> Path:
    """Take a folder out of a list; its files stay where they are. Raise ModelError when it isn't in the list."""
    wanted = Path(os.path.abspath(Path(folder).expanduser()))
    folders = read_list(path)
    if wanted not in folders:
        there = ", ".join(map(str, folders)) or "none"
        raise ModelError(f"{wanted} is not in the list. In the list: {there}.")
    _write_list(path, [one for one in folders if one != wanted])
    return wanted


def _write_list(path: Path, folders: Iterable[Path]) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "# Folders with models, one a line, as `launch.py models add` and `models remove` write them.\n"
        part.write_text(text + "".join(f"{folder}\n" for folder in folders), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise ModelError(f"{path} can't be written ({error.strerror}): free some space or choose another --data.")


def summary(folder: Path) -> dict[str, int]:
    """How many files of each kind a folder holds, by where they stand; kinds without any are left out."""
    folders = ModelFolders([folder])
    counts = {kind: sum(1 for _ in folders.files(kind, [])) for kind in KINDS}
    return {kind: count for kind, count in counts.items() if count}
