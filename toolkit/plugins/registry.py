"""The plugins that are active, in their order, and the nouns they gave, each with its owner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pluggy

from toolkit.commands import COMMANDS
from toolkit.plugins.descriptors import Control, Postprocessor, PromptTransform, Upscaler
from toolkit.plugins.loading import Given, load, load_ui, new_manager, unload
from toolkit.plugins.manifest import FILE
from toolkit.plugins.params import Number, Param
from toolkit.plugins.states import Plugin, State
from toolkit.styles import Style


class Owned(NamedTuple):
    """A noun and the plugin it belongs to."""

    noun: Any
    plugin: Plugin


class Step(NamedTuple):
    """A finishing step as requests name it: a postprocessor, or an upscaler with its factor as the first option."""

    name: str
    label: str
    params: tuple[Param, ...]
    noun: Postprocessor | Upscaler
    plugin: Plugin


class Registry:
    """Loads plugins one by one; of two nouns with one name the first stays and `problems` names both owners."""

    def __init__(self) -> None:
        self.manager: pluggy.PluginManager = new_manager()
        self.plugins: list[Plugin] = []
        self.problems: list[str] = []
        self.lost_reviewers: dict[str, str] = {}
        self._given: dict[str, Given] = {}
        self._implementations: dict[str, list[tuple[Plugin, Any]]] = {}

    def load(self, plugin: Plugin) -> None:
        """Load a plugin that may be loaded; its state says how that went."""
        given = load(self.manager, plugin)
        if plugin.state is State.ACTIVE:
            self._given[plugin.name] = given
            self.plugins = sorted([*self.plugins, plugin], key=lambda one: one.rank)
        self._implementations.clear()

    def unload(self, plugin: Plugin) -> None:
        """Forget a plugin's hooks and nouns; a reviewer that went by its errors goes on withholding pictures."""
        self.lost_reviewers.pop(plugin.name, None)
        if plugin.state is State.FAILED and any(one is plugin for one, _ in self.implementations("review_image")):
            self.lost_reviewers[plugin.name] = plugin.reason
        unload(self.manager, plugin)
        self._given.pop(plugin.name, None)
        self.plugins = [one for one in self.plugins if one is not plugin]
        self._implementations.clear()

    def look(self) -> None:
        """Write `problems` anew: what is left out of the nouns that the active plugins give."""
        self.problems.clear()
        for nouns in (
            self.styles, self.commands, self.transforms, self.steps, self.preprocessors, self.exporters, self.controls,
        ):  # fmt: skip
            nouns()

    def implementations(self, hook: str) -> list[tuple[Plugin, Any]]:
        """Who implements a hook, in the plugins' order."""
        known = self._implementations.get(hook)
        if known is None:
            by_name = {one.plugin_name: one for one in getattr(self.manager.hook, hook).get_hookimpls()}
            known = [(plugin, by_name[plugin.name]) for plugin in self.plugins if plugin.name in by_name]
            self._implementations[hook] = known
        return known

    def styles(self) -> list[Style]:
        return [owned.noun for owned in self._unique("style", "register_styles")]

    def commands(self) -> dict[str, Owned]:
        """Commands by name; the studio's own can't be replaced."""
        found = {}
        for owned in self._unique("command", "register_commands"):
            name, owner = owned.noun.name, owned.plugin
            if name in COMMANDS:
                self._problem(f"The command “{name}” of {owner.name} is left out: the studio has that name.")
                continue
            if name not in owner.manifest.commands:
                listed = f"its {FILE} doesn't list it under [commands]"
                self._problem(f"The command “{name}” of {owner.name} is no command of launch.py: {listed}.")
            found[name] = owned
        return found

    def transforms(self) -> list[Owned]:
        found: list[Owned] = list(self._unique("prompt transform", "register_prompt_transforms"))
        return sorted(found, key=lambda owned: _order(owned.noun))

    def steps(self) -> dict[str, Step]:
        """Finishing steps by name, in the order in which they are offered."""
        owned = list(self._unique("finishing step", "register_upscalers", "register_postprocessors"))
        steps = (
            Step(one.noun.name, one.noun.label, _params(one.noun), one.noun, one.plugin)
            for one in sorted(owned, key=lambda one: _order(one.noun))
        )
        return {step.name: step for step in steps}

    def preprocessors(self) -> dict[str, Owned]:
        """Preprocessors by name, in the plugins' order."""
        return {owned.noun.name: owned for owned in self._unique("preprocessor", "register_preprocessors")}

    def exporters(self) -> dict[str, Owned]:
        """Exporters by name, in the plugins' order."""
        return {owned.noun.name: owned for owned in self._unique("export", "register_exporters")}

    def controls(self) -> dict[str, Control]:
        """Kinds of control by name, in the plugins' order."""
        found, known = {}, {"none", *self.preprocessors()}
        for owned in self._unique("control", "register_controls"):
            found[owned.noun.name] = owned.noun
            if owned.noun.preprocessor not in known:
                lacks = f"no active plugin has the preprocessor “{owned.noun.preprocessor}”"
                self._problem(f"The control “{owned.noun.name}” of {owned.plugin.name} can't be used: {lacks}.")
        return found

    def options(self, plugin: str) -> tuple[Param, ...]:
        """What a request may carry for a plugin."""
        return tuple(self._given.get(plugin, {}).get("register_options", ()))

    def settings(self, plugin: str) -> tuple[Param, ...]:
        return tuple(self._given.get(plugin, {}).get("register_settings", ()))

    def load_tabs(self, plugin: Plugin) -> list[Any]:
        return load_ui(self.manager, plugin)

    def _unique(self, kind: str, *hooks: str) -> Iterator[Owned]:
        first: dict[str, Plugin] = {}
        for plugin in self.plugins:
            for hook in hooks:
                for noun in self._given[plugin.name].get(hook, ()):
                    name = noun.id if isinstance(noun, Style) else noun.name
                    if name not in first:
                        first[name] = plugin
                        yield Owned(noun, plugin)
                        continue
                    owner = first[name].name
                    self._problem(f"The {kind} “{name}” of {plugin.name} is left out: {owner} has that name.")

    def _problem(self, sentence: str) -> None:
        if sentence not in self.problems:
            self.problems.append(sentence)


def _order(noun: PromptTransform | Postprocessor | Upscaler) -> tuple[int, str]:
    return (noun.order, noun.name)


def _params(noun: Postprocessor | Upscaler) -> tuple[Param, ...]:
    if not isinstance(noun, Upscaler):
        return noun.params
    low, high = min(noun.scales), max(noun.scales)
    default = 2.0 if 2.0 in noun.scales else low
    return (Number("scale", "Factor", default, low, high, step=0.5), *noun.params)
