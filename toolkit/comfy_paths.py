"""ComfyUI's `extra_model_paths.yaml`: further folders of models, by kind, that its user has written down."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from toolkit.errors import ModelError

FILE = "extra_model_paths.yaml"
_LARGEST = 200_000


def extra_paths(root: Path) -> dict[str, tuple[Path, ...]]:
    """The folders by ComfyUI's names of kinds, in small letters; empty without such a file in `root`.

    A section may have a `base_path`, which its folders are relative to; a kind may have several, one a line.
    Raises ModelError for a file that can't be read.
    """
    file = root / FILE
    try:
        stat = file.stat()
    except OSError:
        return {}
    return _read(file, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=32)
def _read(file: Path, mtime_ns: int, size: int) -> dict[str, tuple[Path, ...]]:
    import yaml

    try:
        if size > _LARGEST:
            raise ValueError(f"{size} bytes")
        sections = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        found: dict[str, list[Path]] = {}
        for section in sections.values():
            for kind, text in (section or {}).items():
                found.setdefault(str(kind).lower(), []).extend(_folders(file.parent, section.get("base_path"), text))
    except (OSError, ValueError, AttributeError, TypeError, RecursionError, yaml.YAMLError) as error:
        raise ModelError(f"{file} can't be read ({type(error).__name__}): mend it, or rename it to leave it out.")
    return {kind: tuple(dict.fromkeys(folders)) for kind, folders in found.items()}


def _folders(home: Path, base: Any, text: Any) -> list[Path]:
    lines = text.splitlines() if isinstance(text, str) else []
    start = home / os.path.expandvars(os.path.expanduser(str(base or "")))
    return [Path(os.path.abspath(start / os.path.expandvars(line.strip()))) for line in lines if line.strip()]
