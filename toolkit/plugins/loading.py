"""Imports one plugin under a private name and asks what it gives: all of it, or nothing at all."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from toolkit.errors import PluginError
from toolkit.plugins import hookspecs
from toolkit.plugins.descriptors import (
    Command,
    Control,
    Exporter,
    Postprocessor,
    Preprocessor,
    PromptTransform,
    Tab,
    Upscaler,
)
from toolkit.plugins.nouns import several
from toolkit.plugins.params import PARAMS
from toolkit.plugins.states import Plugin, State, sentence
from toolkit.styles import Style, StyleLibrary

if TYPE_CHECKING:
    from toolkit.sidecars import LoraCard

REGISTERS: Mapping[str, tuple[type, ...]] = {
    "register_styles": (Style,),
    "register_prompt_transforms": (PromptTransform,),
    "register_upscalers": (Upscaler,),
    "register_postprocessors": (Postprocessor,),
    "register_exporters": (Exporter,),
    "register_preprocessors": (Preprocessor,),
    "register_controls": (Control,),
    "register_options": PARAMS,
    "register_settings": PARAMS,
    "register_commands": (Command,),
    "register_tabs": (Tab,),
}
KINDS: Mapping[str, str] = {
    **{hook: hook.removeprefix("register_").removesuffix("s").replace("_", " ") for hook in REGISTERS},
    "prepare_request": "request chain",
    "patch_denoiser": "denoiser patch",
    "review_image": "review",
    "describe_image": "metadata",
    "sign_file": "signing",
    "on_event": "events",
}

_PROVIDES = {
    "prepare_request": "requests", "patch_denoiser": "denoiser", "review_image": "review",
    "describe_image": "metadata", "sign_file": "signing", "on_event": "events",
}  # fmt: skip

Given = dict[str, list[Any]]
_FILE_OF_TABS = {"__init__.py": "ui.py", "ui.py": "__init__.py"}


def new_manager() -> pluggy.PluginManager:
    """A pluggy manager that knows the hooks and no plugin."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def load(manager: pluggy.PluginManager, plugin: Plugin) -> Given:
    """Import and register `plugin`, and return what its `register_…` hooks give, checked; {} when it fails.

    Its state, reason, seconds and `provides` say how it went. Nothing of a failed plugin stays behind.
    """
    began = time.perf_counter()
    try:
        module = import_plugin(plugin)
        _check_hooks(module, "__init__.py")
        manager.register(module, plugin.name)
        manager.check_pending()  # a misspelt hook is an error, not silence
        given = _given(manager, plugin.name)
        given.setdefault("register_styles", []).extend(_style_files(plugin.path))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the plugin guard: a plugin may raise anything, even SystemExit
        unload(manager, plugin)
        plugin.fail(sentence(error, plugin.path), traceback.format_exc())
        given = {}
    else:
        plugin.state, plugin.reason = State.ACTIVE, ""
        plugin.provides = _provides(manager, plugin.name, given)
    plugin.seconds = time.perf_counter() - began
    return given


def load_ui(manager: pluggy.PluginManager, plugin: Plugin) -> list[Tab]:
    """Import `ui.py` of an active plugin and return its tabs; raises whatever it raises."""
    path = plugin.path / "ui.py"
    if not path.is_file():
        return []
    name = f"{plugin.module}.ui"
    if manager.has_plugin(f"{plugin.name}.ui"):
        return _given(manager, f"{plugin.name}.ui").get("register_tabs", [])
    module = sys.modules.get(name) or _import_file(name, path, [])
    _check_hooks(module, "ui.py")
    manager.register(module, f"{plugin.name}.ui")
    try:
        manager.check_pending()
        return _given(manager, f"{plugin.name}.ui").get("register_tabs", [])
    except BaseException:
        manager.unregister(name=f"{plugin.name}.ui")
        raise


def unload(manager: pluggy.PluginManager, plugin: Plugin) -> None:
    """Take a plugin's hooks and modules away; a later load reads its files again."""
    for name in (plugin.name, f"{plugin.name}.ui"):
        if manager.has_plugin(name):
            manager.unregister(name=name)
    for name in [name for name in sys.modules if name == plugin.module or name.startswith(f"{plugin.module}.")]:
        del sys.modules[name]
    plugin.provides = []


def import_plugin(plugin: Plugin) -> ModuleType:
    """The plugin's module; one without `__init__.py` is data only and runs no code at all."""
    path = plugin.path / "__init__.py"
    if not plugin.module.startswith("limner_plugins."):
        return importlib.import_module(plugin.module)
    if not path.is_file():
        return ModuleType(plugin.module)
    sys.modules.setdefault("limner_plugins", ModuleType("limner_plugins")).__path__ = []  # type: ignore[attr-defined]
    return _import_file(plugin.module, path, [str(plugin.path)])


def _import_file(name: str, path: Path, search: list[str]) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=search or None)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path} can't be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _given(manager: pluggy.PluginManager, name: str) -> Given:
    given: Given = {}
    for hook, kinds in REGISTERS.items():
        for implementation in _implementations(manager, hook, name):
            # A generator that raises halfway gives nothing.
            nothing = [()] * len(implementation.argnames)
            given[hook] = several(implementation.function(*nothing), kinds, hook)
    for hook in set(KINDS) - set(REGISTERS):
        for implementation in _implementations(manager, hook, name):
            if inspect.iscoroutinefunction(implementation.function):
                raise PluginError(f"{hook} is async; hooks are ordinary functions.")
    return given


def _check_hooks(module: ModuleType, file: str) -> None:
    """Raise PluginError for a hook that would never be asked: misspelt, unmarked, or in the file of another."""
    for name, function in list(vars(module).items()):
        if not inspect.isfunction(function) or function.__module__ != module.__name__:
            continue
        marked = getattr(function, f"{hookspecs.PROJECT}_impl", None)
        if marked is None and name not in KINDS:
            continue
        if marked is None:
            raise PluginError(f"{file}: {name} is the name of a hook; write @hookimpl above it.")
        hook = marked.get("specname") or name
        if hook not in KINDS:
            [near] = difflib.get_close_matches(hook, KINDS, 1) or [""]
            meant = f"; is {near} meant?" if near else f"; there are {', '.join(KINDS)}."
            raise PluginError(f"{file}: there is no hook {hook}{meant}")
        if (hook == "register_tabs") is not (file == "ui.py"):
            raise PluginError(f"{hook} stands in {file}, but is only asked in {_FILE_OF_TABS[file]}: move it there.")
        known = list(inspect.signature(getattr(hookspecs, hook)).parameters)
        strange = [argument for argument in inspect.signature(function).parameters if argument not in known]
        if strange:
            takes = f"it can take {', '.join(known)}" if known else "it takes nothing"
            raise PluginError(f"{file}: {hook} can't take “{strange[0]}”: {takes}.")


def styles_of(implementation: pluggy.HookImpl, loras: Sequence[LoraCard]) -> list[Style]:
    """What `register_styles` gives for the LoRAs that are there, checked; raises whatever it raises."""
    return several(implementation.function(loras), (Style,), "register_styles")


def _implementations(manager: pluggy.PluginManager, hook: str, name: str) -> list[pluggy.HookImpl]:
    return [one for one in getattr(manager.hook, hook).get_hookimpls() if one.plugin_name == name]


def _style_files(folder: Path) -> list[Style]:
    if not (folder / "styles").is_dir():
        return []
    library = StyleLibrary([folder / "styles"])
    if library.problems:
        raise PluginError(" ".join(library.problems))
    return list(library.styles.values())


def kinds_of(manager: pluggy.PluginManager, plugin: Plugin, given: Given) -> list[str]:
    """The kinds of things that a plugin gives, by the words of `provides` in a manifest."""
    hooks = [hook for hook in KINDS if given.get(hook) or _implementations(manager, hook, plugin.name)]
    tabs = ["tabs"] if (plugin.path / "ui.py").is_file() else []
    return [_PROVIDES.get(hook, hook.removeprefix("register_")) for hook in hooks] + tabs


def _provides(manager: pluggy.PluginManager, name: str, given: Given) -> list[str]:
    nouns = [
        f"{KINDS[hook]} {one.id if isinstance(one, Style) else one.name}"
        for hook, several in given.items() for one in several
    ]  # fmt: skip
    lifecycle = [KINDS[hook] for hook in KINDS if hook not in REGISTERS and _implementations(manager, hook, name)]
    return nouns + lifecycle
