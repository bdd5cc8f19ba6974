from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit import environment
from toolkit.commands import doctor

ROOT = Path(__file__).resolve().parents[2]


def card_driver(folder: Path, names: str) -> None:
    """A program that answers as NVIDIA's does on a machine with cards."""
    folder.mkdir()
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '%s' '{names}'\n")
    tool.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for the driver's program is a shell script")
def test_cards_are_listed_even_when_torch_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card_driver(tmp_path / "bin", "NVIDIA RTX 9000, 24564 MiB\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert doctor.nvidia_gpus() == ["NVIDIA RTX 9000, 24564 MiB"]


def test_a_broken_driver_counts_as_no_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.nvidia_gpus() == []


def test_before_the_environment_exists_doctor_says_what_is_missing(data: Path) -> None:
    found = doctor.examine(None, data / "not yet")
    assert found.disk_free > 0 and found.data == str(data / "not yet")
    assert len(found.problems) == 1 and "isn't made yet" in found.problems[0]
    text = doctor.described(found)
    assert "Problem" in text and found.problems[0] in text


def test_doctor_runs_in_a_checkout_without_environment(tmp_path: Path) -> None:
    """A copy of the launcher alone: doctor neither installs nor fails, and its JSON is one object."""
    shutil.copy(ROOT / "launch.py", tmp_path)
    shutil.copytree(ROOT / "toolkit", tmp_path / "toolkit", ignore=shutil.ignore_patterns("__pycache__"))
    for name in environment.FILES.values():
        shutil.copy(ROOT / name, tmp_path)
    ran = subprocess.run(
        [sys.executable, "-E", "-s", "-S", str(tmp_path / "launch.py"), "doctor", "--json"],
        capture_output=True, text=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert ran.returncode == 1, ran.stderr
    found = json.loads(ran.stdout)
    assert found["installed"] == {"page": False, "engine": False, "dev": False}
    assert found["limner"] and found["python"] and found["device"] is None
    assert not (tmp_path / ".venv").exists()
