"""Fills the virtual environment, with uv where it works and else with pip, and says in a sentence why it can't."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Sequence

from toolkit import environment
from toolkit.environment import FILES, TITLES, Say
from toolkit.errors import InstallError

# The registry's torch for Windows has no CUDA; PyTorch's own index has it. The number is the CUDA of the pinned torch.
CUDA_INDEX = "https://download.pytorch.org/whl/cu132"

_NETWORK = re.compile(
    r"dns error|name resolution|getaddrinfo|Name or service not known|Network is unreachable|Connection refused|"
    r"error sending request|Failed to establish a new connection|Max retries exceeded|timed out|ConnectionError|"
    r"ProxyError|Cannot connect to proxy|tunnel error|client error \(Connect\)|NewConnectionError|ConnectTimeout",
    re.IGNORECASE,
)
_FULL = re.compile(r"No space left|os error 28|Errno 28|not enough space|os error 112|Disk quota exceeded", re.I)
_REFUSED = re.compile(r"Permission denied|Access is denied|Read-only file system|os error 13", re.IGNORECASE)
_ABSENT = re.compile(r"No matching distribution found for (\S+)|No solution found|has no wheels|no wheels with", re.I)


class Installer:
    """Installs parts of the environment `home` from the requirements files in `root`; `say` gets each line of news."""

    def __init__(self, home: Path, root: Path, say: Say) -> None:
        self._home, self._root, self._say = home, root, say
        self._python = environment.python(home)
        self._process: subprocess.Popen[str] | None = None
        self._uv = _working_uv()

    def install(self, parts: Sequence[str], torch_index: str | None = None) -> None:
        """Make the environment where there is none and install what is missing of `parts`."""
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            with _alone(self._home / "limner.lock", self._say):
                self._make()
                self._install_torch(parts, torch_index)
                for part in environment.missing(parts, self._home, self._root):
                    self._say(f"Installing {TITLES[part]}. This is done once; an interrupted start goes on from here.")
                    self._packages("-r", str(self._root / FILES[part]))
                    environment.mark(part, self._home, self._root)
        except OSError as error:
            raise InstallError(explain([str(error)], self._home)) from error

    def stop(self) -> None:
        """End an installation that runs on another thread; what it had fetched stays."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        if os.name == "nt":
            process.terminate()
        else:
            # The installer leads a group of its own, with the builds that it may have started.
            os.killpg(process.pid, signal.SIGTERM)

    def _make(self) -> None:
        if _runs(self._python):
            return
        self._say(f"Making the environment in {self._home}.")
        if self._uv:
            here = ["--allow-existing", "--no-project", "--python", sys.executable]
            self._run([self._uv, "venv", *here, str(self._home)])
            return
        if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
            raise InstallError(
                "This Python has no venv module: install it (on Debian and Ubuntu `sudo apt install python3-venv`) and "
                "start again."
            )
        self._run([sys.executable, "-m", "venv", str(self._home)])

    def _install_torch(self, parts: Sequence[str], asked: str | None) -> None:
        """Install torch by itself when it comes from an index of its own; the pins accept such a build afterwards."""
        kept = self._home / ".limner-torch"
        known = kept.read_text(encoding="utf-8").strip() if kept.is_file() else None
        index = asked or known or (CUDA_INDEX if _windows_with_nvidia() else None)
        if index is None or "engine" not in parts:
            return
        if index == known and environment.ready("engine", self._home, self._root):
            return
        pins = re.findall(r"^(torch(?:vision)?==[\w.]+)", (self._root / FILES["engine"]).read_text("utf-8"), re.M)
        self._say(f"Installing torch from {index}.")
        # A torch from another index satisfies the pins too, and would stay.
        uv_again = ["--reinstall-package", "torch", "--reinstall-package", "torchvision"]
        again = uv_again if self._uv else ["--force-reinstall"]
        self._packages(*(again if index != known else []), "--index-url", index, *pins)
        kept.write_text(index + "\n", encoding="utf-8")

    def _packages(self, *what: str) -> None:
        if self._uv:
            self._run([self._uv, "pip", "install", "--python", str(self._python), *what])
            return
        if subprocess.run([str(self._python), "-m", "pip", "--version"], capture_output=True).returncode:
            self._run([str(self._python), "-m", "ensurepip"])
        self._run([str(self._python), "-m", "pip", "install", "--disable-pip-version-check", *what])

    def _run(self, command: Sequence[str]) -> None:
        tail: deque[str] = deque(maxlen=200)
        with open(self._home / "limner-install.log", "a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n")
            with subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                encoding="utf-8", errors="replace", env={**os.environ, "PYTHONUTF8": "1", "NO_COLOR": "1"},
                process_group=None if os.name == "nt" else 0,
            ) as self._process:  # fmt: skip
                try:
                    for line in self._process.stdout or ():
                        log.write(line)
                        tail.append(line.rstrip())
                        if _is_news(line):
                            self._say("  " + line.strip()[:150])
                    code = self._process.wait()
                finally:
                    self.stop()
        if code:
            raise InstallError(explain(list(tail), self._home))


def explain(lines: Sequence[str], home: Path) -> str:
    """One sentence on why an installer that printed `lines` failed, and what to do."""
    text = "\n".join(lines)
    if _FULL.search(text):
        free = shutil.disk_usage(home.parent).free / 1e9
        return f"The disk with {home} is full ({free:.1f} GB left): free some space and start again to go on from here."
    if _NETWORK.search(text):
        return (
            "The packages could not be fetched because the package index can't be reached: check the connection (or "
            "the proxy) and start again; it goes on from here."
        )
    if absent := _ABSENT.search(text):
        name = absent[1] or "one of the pinned packages"
        machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
        return (
            f"The package index offers no {name} to {machine}: check the connection, or take Python 3.11 to 3.13 on a "
            "64-bit system."
        )
    if _REFUSED.search(text):
        return f"The environment in {home} can't be written: check who owns this folder and start again."
    last = next((line.strip() for line in reversed(lines) if line.strip()), "no reason was given")
    return f"Installing failed ({last[:200]}); all that was printed is in {home / 'limner-install.log'}."


def _working_uv() -> str | None:
    """The path of a uv that runs: a shim on the PATH may stand for none."""
    found = shutil.which("uv")
    if found is None:
        return None
    try:
        works = subprocess.run([found, "--version"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found if works else None


def _runs(python: Path) -> bool:
    try:
        return subprocess.run([str(python), "-c", ""], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _windows_with_nvidia() -> bool:
    return os.name == "nt" and shutil.which("nvidia-smi") is not None


def _is_news(line: str) -> bool:
    """Leaves out what pip says of packages that are in already or not meant for this machine, and blank lines."""
    dull = ("Requirement already satisfied", "Ignoring ", "Looking in ", "Using cached ", "[notice]", "Activate with")
    return bool(line.strip()) and not line.lstrip().startswith(dull)


@contextmanager
def _alone(path: Path, say: Say) -> Iterator[None]:
    """Hold the lock file `path`, so that two starts never install at the same time; waits for the other."""
    with open(path, "a+", encoding="ascii") as file:
        told = False
        while not _lock(file.fileno()):
            if not told:
                say("Another start of Limner is installing packages; waiting for it.")
            told = True
            time.sleep(0.5)
        yield


def _lock(handle: int) -> bool:
    """Take the lock that the system frees when the file is closed or the process ends; False when it is taken."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
