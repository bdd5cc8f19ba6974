"""The environment is really made and filled, from tiny wheels on disk, so that no package index is needed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import psutil
import pytest

from toolkit import environment
from toolkit.errors import InstallError
from toolkit.installer import Installer

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ["pip", pytest.param("uv", marks=pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not there"))]


def wheel(folder: Path, name: str) -> Path:
    """The smallest installable package: a module whose `NAME` tells its name."""
    path, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", f"NAME = {name!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The launcher with requirements of its own: the page needs `tiny_page`, drawing `tiny_engine` too."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "toolkit", root / "toolkit", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "launch.py", root)
    page, engine = wheel(tmp_path, "tiny_page"), wheel(tmp_path, "tiny_engine")
    (root / "requirements-page.txt").write_text(f"{page}\n")
    (root / "requirements.txt").write_text(f"{page}\n{engine}\n")
    (root / "requirements-dev.txt").write_text(f"{page}\n")
    return root


def installer(root: Path, tool: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Installer, list[str]]:
    said: list[str] = []
    if tool == "pip":
        monkeypatch.setenv("PATH", os.defpath)
    made = Installer(root / ".venv", root, said.append)
    assert (made._uv is not None) == (tool == "uv")
    return made, said


def has(root: Path, name: str) -> bool:
    python = environment.python(root / ".venv")
    return subprocess.run([python, "-c", f"import {name}"], capture_output=True).returncode == 0


@pytest.mark.parametrize("tool", TOOLS)
def test_the_parts_arrive_one_after_the_other(checkout: Path, tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, said = installer(checkout, tool, monkeypatch)
    home = checkout / ".venv"
    made.install(["page"])
    assert environment.missing(["page", "engine"], home, checkout) == ["engine"]
    assert has(checkout, "tiny_page") and not has(checkout, "tiny_engine")
    made.install(["engine"])
    assert environment.missing(["page", "engine"], home, checkout) == []
    assert has(checkout, "tiny_engine")
    said.clear()
    made.install(["engine"])
    assert said == []


@pytest.mark.parametrize("tool", TOOLS)
def test_an_interrupted_installation_goes_on(checkout: Path, tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A half-made environment, a package that is in, no stamp: nothing is thrown away, the rest is brought in."""
    made, _ = installer(checkout, tool, monkeypatch)
    home = checkout / ".venv"
    home.mkdir()
    (home / "half-made").touch()
    made.install(["page"])
    (home / ".limner-page").unlink()
    kept = next(home.glob("**/tiny_page.py"))
    before = kept.stat().st_mtime_ns
    made.install(["engine"])
    assert kept.stat().st_mtime_ns == before and (home / "half-made").exists()
    assert has(checkout, "tiny_engine") and environment.missing(["engine"], home, checkout) == []


def test_a_failed_installation_leaves_no_stamp_and_says_why(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/simple")
    for name in ("PIP_RETRIES", "UV_HTTP_RETRIES"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    (checkout / "requirements-page.txt").write_text("tiny-absent==1.0\n")
    made = Installer(checkout / ".venv", checkout, lambda line: None)
    with pytest.raises(InstallError, match="check the connection") as caught:
        made.install(["page"])
    assert "\n" not in str(caught.value)
    assert environment.missing(["page"], checkout / ".venv", checkout) == ["page"]
    assert "tiny-absent" in (checkout / ".venv" / "limner-install.log").read_text(encoding="utf-8")


def test_two_starts_do_not_install_at_the_same_time(checkout: Path) -> None:
    said: list[list[str]] = [[], []]
    threads = [
        threading.Thread(target=Installer(checkout / ".venv", checkout, lines.append).install, args=(["engine"],))
        for lines in said
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert has(checkout, "tiny_engine")
    waited = [lines for lines in said if any("waiting for it" in line for line in lines)]
    assert len(waited) == 1 and not any("Installing" in line for line in waited[0])


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("whole_group", [True, False])
def test_ctrl_c_during_the_installation_ends_everything(checkout: Path, whole_group: bool) -> None:
    """As from a terminal (the whole group) and as from a program that knows the launcher alone."""
    slow = checkout / "slow"
    slow.mkdir()
    (slow / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "slow_build"\nbackend-path = ["."]\n'
    )
    (slow / "slow_build.py").write_text("import time\ntime.sleep(60)\n")
    (checkout / "requirements.txt").write_text(f"{slow}\n")
    process = subprocess.Popen(
        [sys.executable, str(checkout / "launch.py"), "generate", "x"], start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    log = checkout / ".venv" / "limner-install.log"
    deadline = time.monotonic() + 60
    while not (log.exists() and "install" in log.read_text()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT) if whole_group else os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in output
    left = [row for row in psutil.process_iter(["cmdline"]) if str(checkout) in " ".join(row.info["cmdline"] or [])]
    _, left = psutil.wait_procs(left, timeout=5)
    assert left == []
