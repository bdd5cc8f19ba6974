"""`launch.py doctor --model` as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def doctor(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "launch.py", "doctor", *words], cwd=ROOT, capture_output=True, text=True, timeout=280
    )


def test_a_model_is_reported_on_without_the_machines_folders(tmp_path):
    done = doctor("--model", "limner-starter", "--dtype", "float32", "--json", "--data", str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["file"] == "limner-starter"
    assert facts["engine_dtype"] == "float32"
    assert all(answer["finite"] for answer in facts["answers"].values())
    assert len(facts["sha256"]) == 64
    assert str(ROOT) not in done.stdout


def test_a_file_that_is_no_model_is_a_sentence(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(bytes(100))
    done = doctor("--model", str(tmp_path / "x.safetensors"), "--data", str(tmp_path / "data"))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "x.safetensors is damaged" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
