"""The import rules that keep the drawing in docs/architecture.md true."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "diffusers", "transformers", "peft", "controlnet_aux"}
MAY_USE_TORCH = ("toolkit/engine", "toolkit/starter", "toolkit/training", "toolkit/bench")
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "shared"}
SOURCES = sorted(
    path for folder in ("toolkit", "webui", "plugins") for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
) + [ROOT / "launch.py"]  # fmt: skip


def imported(path: Path, *, only_at_import: bool = False) -> set[str]:
    """Names of the modules that a file imports, dotted; with `only_at_import`, not those inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in _import_time(tree) if only_at_import else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _import_time(tree: ast.AST):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from _import_time(node)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_imports_follow_the_drawing(path: Path) -> None:
    name = relative(path)
    # A plugin's callables may import anything once they are called in the engine's process.
    modules = imported(path, only_at_import=name.startswith("plugins/"))
    roots = {module.split(".")[0] for module in modules}
    if not name.startswith("webui/") and not (name.startswith("plugins/") and path.name == "ui.py"):
        assert "gradio" not in roots, "only webui may import gradio"
        assert "webui" not in roots or name.startswith(("toolkit/commands", "launch.py")), "toolkit has no screen"
    if not name.startswith(MAY_USE_TORCH) and name != "toolkit/commands/doctor.py":
        assert not roots & HEAVY, f"{name} imports {roots & HEAVY}; only {MAY_USE_TORCH} may"
    if name.startswith("webui/"):
        parts = {module for module in imported(path) if module.startswith("toolkit.engine.")}
        assert not parts, f"the page uses the toolkit's public names, not {parts}"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_files_are_small_and_named_for_what_they_are(path: Path) -> None:
    assert path.stem not in VAGUE
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize(
    "name",
    ["launch.py", *(f"toolkit/starter/{name}.py" for name in ("cli", "chain", "paths")), *(relative(path) for path in (ROOT / "toolkit/commands").glob("*.py"))],
)
def test_launcher_needs_only_the_standard_library(name: str) -> None:
    roots = {module.split(".")[0] for module in imported(ROOT / name, only_at_import=True)}
    assert roots <= set(sys.stdlib_module_names) | {"toolkit"}


def test_importing_the_studio_is_light() -> None:
    code = (
        "import sys, toolkit, toolkit.studio, webui.form\n"
        "print(sorted({'torch', 'diffusers', 'transformers', 'gradio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_exact() -> None:
    import toolkit

    assert toolkit.__all__ == sorted(toolkit.__all__)
    for name in toolkit.__all__:
        assert getattr(toolkit, name).__name__ == name if name != "OWNER" else toolkit.OWNER.role == "owner"
    with pytest.raises(AttributeError):
        toolkit.nothing_of_this_name
