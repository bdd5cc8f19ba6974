"""Imports one plugin under a private name and asks what it gives: all of it, or nothing at all."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
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
from toolkit.plugins.params import NAME as PARAM_NAME
from toolkit.plugins.params import PARAMS
from toolkit.plugins.states import Plugin, State, sentence
from toolkit.styles import ID as STYLE_ID
from toolkit.styles import Style, StyleLibrary

SUFFIX = re.compile(r"[a-z0-9]{1,8}")
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

Given = dict[str, list[Any]]


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
        manager.register(module, plugin.name)
        manager.check_pending()  # a misspelt hook is an error, not silence
        given = _given(manager, plugin.name)
        given.setdefault("register_styles", []).extend(_style_files(plugin.path))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the plugin guard: a plugin may raise anything, even SystemExit
        unload(manager, plugin)
        plugin.fail(sentence(error), traceback.format_exc())
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
            # list() inside: a generator that raises halfway gives nothing.
            nothing = [()] * len(implementation.argnames)
            given[hook] = [_checked(one, kinds, hook) for one in list(implementation.function(*nothing) or ())]
    for hook in set(KINDS) - set(REGISTERS):
        for implementation in _implementations(manager, hook, name):
            if inspect.iscoroutinefunction(implementation.function):
                raise PluginError(f"{hook} is async; hooks are ordinary functions.")
    return given


def styles_of(implementation: pluggy.HookImpl, loras: Sequence[LoraCard]) -> list[Style]:
    """What `register_styles` gives for the LoRAs that are there, checked; raises whatever it raises."""
    return [_checked(one, (Style,), "register_styles") for one in list(implementation.function(loras) or ())]


def _implementations(manager: pluggy.PluginManager, hook: str, name: str) -> list[pluggy.HookImpl]:
    return [one for one in getattr(manager.hook, hook).get_hookimpls() if one.plugin_name == name]


def _checked(one: Any, kinds: tuple[type, ...], hook: str) -> Any:
    if not isinstance(one, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise PluginError(f"{hook} gave {one!r:.80}, but must give {wanted}.")
    name = one.id if isinstance(one, Style) else one.name
    pattern = STYLE_ID if isinstance(one, Style) else PARAM_NAME
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise PluginError(f"{hook}: “{name}” can't be a name: use small letters, digits and _.")
    if isinstance(one, Exporter) and not SUFFIX.fullmatch(one.suffix):
        raise PluginError(f"{hook}: “{one.suffix}” can't end a file's name: use small letters and digits, no dot.")
    for attribute in ("run", "build"):
        work = getattr(one, attribute, None)
        if hasattr(one, attribute) and (not callable(work) or inspect.iscoroutinefunction(work)):
            raise PluginError(f"{hook}: “{attribute}” of “{name}” must be an ordinary function.")
    for param in getattr(one, "params", ()):
        _checked(param, PARAMS, f"{hook}: “{name}”")
        param.clean(param.default)
    return one


def _style_files(folder: Path) -> list[Style]:
    if not (folder / "styles").is_dir():
        return []
    library = StyleLibrary([folder / "styles"])
    if library.problems:
        raise PluginError(" ".join(library.problems))
    return list(library.styles.values())


def _provides(manager: pluggy.PluginManager, name: str, given: Given) -> list[str]:
    nouns = [
        f"{KINDS[hook]} {one.id if isinstance(one, Style) else one.name}"
        for hook, several in given.items() for one in several
    ]  # fmt: skip
    lifecycle = [KINDS[hook] for hook in KINDS if hook not in REGISTERS and _implementations(manager, hook, name)]
    return nouns + lifecycle
