from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit import environment
from toolkit.commands import COMMANDS, line, serve
from toolkit.commands import test as test_command
from toolkit.errors import SettingsError
from toolkit.installer import explain

ROOT = Path(__file__).resolve().parents[2]


def bare(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the launcher with nothing but the standard library within reach."""
    return subprocess.run(
        [sys.executable, "-E", "-s", "-S", "-X", "importtime", str(ROOT / "launch.py"), *arguments],
        capture_output=True, text=True, encoding="utf-8", timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_works_on_a_bare_python(command: str) -> None:
    ran = bare(*filter(None, [command]), "--help")
    assert ran.returncode == 0, ran.stderr[-500:]
    assert "usage: launch.py" in ran.stdout
    if not command:
        assert all(name in ran.stdout for name in COMMANDS)
    loaded = {entry.rsplit("|", 1)[-1].strip().split(".")[0] for entry in ran.stderr.splitlines()}
    assert not loaded & {"torch", "gradio", "pydantic", "numpy", "PIL", "sqlite3", "asyncio"}


@pytest.mark.parametrize(
    ("argv", "command", "data"),
    [
        ([], "serve", None),
        (["--data", "d"], "serve", "d"),
        (["--port", "7000", "--data=d"], "serve", "d"),
        (["--data", "d", "generate", "a cat"], "generate", "d"),
        (["generate", "a cat", "--data", "d"], "generate", "d"),
        (["generate", "--data=d", "test"], "generate", "d"),
        (["test", "--data", "d", "unit"], "test", "d"),
    ],
)
def test_data_is_taken_before_and_after_the_command(argv: list[str], command: str, data: str | None) -> None:
    args = line.read(argv)
    assert (args.command, getattr(args, "data", None)) == (command, data)


def test_what_follows_test_goes_to_pytest_untouched() -> None:
    args = line.read(["test", "unit", "--data", "d", "-k", "size and not slow", "-x"])
    assert args.rest == ["unit", "-k", "size and not slow", "-x"]
    assert test_command.divide(args.rest) == (["unit"], ["-k", "size and not slow", "-x"])
    assert test_command.needs(args) == ("dev",)
    assert test_command.needs(line.read(["test"])) == ("engine", "dev")
    assert test_command.needs(line.read(["test", "unit", "launch"])) == ("engine", "dev")


def test_the_whole_suite_runs_two_files_at_a_time_and_what_is_named_one_after_the_other() -> None:
    assert {"-n", "2"} < set(test_command.arguments([]))
    assert "-n" not in test_command.arguments(["unit"]) + test_command.arguments(["-x"])


def test_an_unknown_test_layer_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"no tests “untit”: the layers are .*unit"):
        test_command.divide(["untit"])


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--share"], "--share doesn't work yet"),
        (["serve", "--share"], "--share doesn't work yet"),
        (["--host", "0.0.0.0"], "--host 0.0.0.0 doesn't work yet"),
        (["paint"], "invalid choice: 'paint'"),
        (["generate", "x", "--steps", "few"], "“few” is not a whole number"),
        (["generate", "x", "--guidance", "strong"], "“strong” is not a number"),
        (["serve", "--port", "http"], "--port"),
    ],
)
def test_a_wrong_command_line_gets_one_sentence(launch, argv: list[str], said: str) -> None:
    ran = launch(*argv)
    assert ran.returncode == 2
    assert said in ran.stderr and "Traceback" not in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1 and ran.stdout == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GRADIO_SHARE", "true"), ("GRADIO_SERVER_NAME", "0.0.0.0"),
        ("GRADIO_SHARE_SERVER_ADDRESS", "example.org:7000"), ("GRADIO_ROOT_PATH", "/limner"),
        ("GRADIO_ALLOWED_PATHS", "/"), ("GRADIO_MCP_SERVER", "True"),
    ],
)  # fmt: skip
def test_gradios_sharing_variables_are_refused(name: str, value: str) -> None:
    args = line.read([])
    with pytest.raises(SettingsError, match=name):
        serve.check(args, {name: value})
    serve.check(args, {name: "False", "GRADIO_SERVER_NAME": "127.0.0.1"})


def make_home(home: Path) -> None:
    environment.python(home).parent.mkdir(parents=True)
    environment.python(home).touch()


def test_a_part_is_in_only_when_its_stamp_fits_the_requirements(tmp_path: Path) -> None:
    home = tmp_path / ".venv"
    for name in environment.FILES.values():
        (tmp_path / name).write_text("pillow==12.3.0\n")
    assert environment.missing(["page"], home, tmp_path) == ["page"]
    assert environment.missing(["page", "engine", "dev"], home, tmp_path) == ["engine", "dev"]
    make_home(home)
    environment.mark("engine", home, tmp_path)
    assert environment.missing(["page", "engine"], home, tmp_path) == []
    assert environment.missing(["engine", "dev"], home, tmp_path) == ["dev"]
    (tmp_path / environment.FILES["engine"]).write_text("pillow==12.4.0\n")
    assert environment.missing(["page", "engine"], home, tmp_path) == ["engine"]
    environment.python(home).unlink()
    assert environment.missing(["page"], home, tmp_path) == ["page"]


def pins(name: str) -> set[str]:
    text = (ROOT / name).read_text(encoding="ascii")
    return {row for row in text.splitlines() if row and not row.startswith("#")}


def test_the_requirement_files_agree() -> None:
    page, engine, dev = (pins(environment.FILES[part]) for part in ("page", "engine", "dev"))
    assert page < engine and page < dev
    assert not any(row.startswith(("torch", "nvidia", "diffusers")) for row in page | dev)
    assert all("==" in row for row in engine | dev)
    both = {row.split("==")[0] for row in engine} & {row.split("==")[0] for row in dev}
    assert {row for row in engine if row.split("==")[0] in both} == {row for row in dev if row.split("==")[0] in both}


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("error: Failed to fetch\n  cause: dns error: failed to lookup address", "can't be reached"),
        ("WARNING: Retrying: NewConnectionError: Connection refused\nERROR: No matching", "can't be reached"),
        ("ERROR: Could not install packages: [Errno 28] No space left on device", "is full"),
        ("error: Failed to write to the distribution cache\n  cause: No space left on device (os error 28)", "is full"),
        ("error: Permission denied (os error 13)", "can't be written"),
        ("ERROR: No matching distribution found for torch==2.15.0", "no torch==2.15.0 to Python 3"),
        ("something odd", r"something odd.*limner-install\.log"),
        ("", "no reason was given"),
    ],
)
def test_a_failed_installation_is_explained(tmp_path: Path, printed: str, said: str) -> None:
    sentence = explain(printed.splitlines(), tmp_path / ".venv")
    assert re.search(said, sentence) and "\n" not in sentence


def test_an_old_python_gets_a_sentence(tmp_path: Path) -> None:
    script = (
        "import sys, runpy\n"
        "sys.version_info = (3, 9, 2, 'final', 0)\n"
        f"runpy.run_path({str(ROOT / 'launch.py')!r}, run_name='__main__')\n"
    )
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 2
    assert "needs Python 3.11 or newer, and this is Python 3.9" in ran.stderr


def test_launch_reads_under_every_python_3() -> None:
    ast.parse((ROOT / "launch.py").read_text(encoding="utf-8"), feature_version=(3, 4))


def test_settings_flags_hold_only_what_was_given() -> None:
    args = argparse.Namespace(data="d", port=None, dtype="float32", json=True)
    assert line.settings_flags(args) == {"data": "d", "dtype": "float32"}
