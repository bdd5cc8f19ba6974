"""What tests of every layer share: a data folder of their own, and the browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
NO_BROWSER = (
    "The browser tests need Chromium on the PATH: `apt-get install chromium` on Debian and Ubuntu, or set "
    "CHROMIUM to the path of any Chrome."
)

Launch = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The LIMNER_* variables of whoever runs the tests must not decide how they end."""
    for name in [name for name in os.environ if name.startswith("LIMNER_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An empty data folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; without one the test is skipped on a person's machine and fails in CI."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None and os.environ.get("CI"):
        pytest.fail(NO_BROWSER)
    if found is None:
        pytest.skip(NO_BROWSER)
    return found


@pytest.fixture
def launch(data: Path) -> Launch:
    """Run `launch.py ARGUMENTS` as a person does, by its own process, with the test's data folder."""

    def run(*arguments: str, timeout: float = 120, python: str = sys.executable, **environ: str | None):
        wanted = {**os.environ, "LIMNER_DATA": str(data), **environ}
        return subprocess.run(
            [python, str(ROOT / "launch.py"), *arguments], capture_output=True, text=True, encoding="utf-8",
            timeout=timeout, cwd=data, env={name: value for name, value in wanted.items() if value is not None},
        )  # fmt: skip

    return run
