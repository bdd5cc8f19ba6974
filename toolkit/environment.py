"""The virtual environment in `.venv`: which of its parts are in, how they get in, and how to run inside it.

Each part is a requirements file. A part is in when its stamp holds the hash of that file, and the stamp is written
after everything else, so an installation that was interrupted is taken up again by the next start; the packages that
had arrived are kept.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Callable, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".venv"

# A later part holds everything of an earlier one it names.
FILES: Mapping[str, str] = {
    "page": "requirements-page.txt",
    "engine": "requirements.txt",
    "dev": "requirements-dev.txt",
}
_CONTAINS: Mapping[str, tuple[str, ...]] = {"page": (), "engine": ("page",), "dev": ("page",)}
TITLES: Mapping[str, str] = {
    "page": "the page's packages",
    "engine": "the packages that draw (torch and its companions, several gigabytes on Linux)",
    "dev": "the packages of the tests",
}

Say = Callable[[str], None]


def python(home: Path = HOME) -> Path:
    """The environment's Python, whether or not it exists."""
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def inside(home: Path = HOME) -> bool:
    """Whether this very process runs in the environment."""
    return Path(sys.prefix).resolve() == home.resolve()


def ready(part: str, home: Path = HOME, root: Path = ROOT) -> bool:
    """Whether all packages of `part` are in, by its stamp: a hash, no look at the packages themselves."""
    try:
        stamp = _stamp(part, home).read_text(encoding="ascii").strip()
    except OSError:
        return False
    return stamp == wanted(part, root) and python(home).exists()


def missing(parts: Sequence[str], home: Path = HOME, root: Path = ROOT) -> list[str]:
    """Those of `parts` that are not in; a part that another one contains is left out."""
    absent = [part for part in parts if not ready(part, home, root)]
    return [part for part in absent if not any(part in _CONTAINS[other] for other in absent)]


def wanted(part: str, root: Path = ROOT) -> str:
    """The hash that the stamp of `part` holds when it is in."""
    return hashlib.sha256((root / FILES[part]).read_bytes()).hexdigest()


def mark(part: str, home: Path = HOME, root: Path = ROOT) -> None:
    """Write the stamps of `part` and of what it contains."""
    for name in (part, *_CONTAINS[part]):
        _stamp(name, home).write_text(wanted(name, root) + "\n", encoding="ascii")


def ensure(parts: Sequence[str], torch_index: str | None = None, say: Say | None = None) -> None:
    """Install what is missing of `parts`; raise InstallError with what to do when that fails."""
    if not missing(parts) and torch_index is None:
        return
    # The installer is only read when there is something to install: a later start need not wait for it.
    from toolkit.installer import Installer

    say = say or _to_stderr
    Installer(HOME, ROOT, say).install(parts, torch_index)


def run_inside(argv: Sequence[str]) -> int:
    """Run `launch.py argv` with the environment's Python; returns its exit code."""
    return become([str(python()), str(ROOT / "launch.py"), *argv])


def become(command: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Run `command` in place of this process; on POSIX it is this process from now on, so every signal reaches it."""
    environ = dict(os.environ if environ is None else environ)
    if os.name != "nt":
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(command[0], list(command), environ)
    process = subprocess.Popen(command, env=environ)
    # Ctrl+C goes to every process of a Windows console: the child ends by itself, this one only waits for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return process.wait()


def _stamp(part: str, home: Path) -> Path:
    return home / f".limner-{part}"


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
