"""What the owner chose for each plugin, in `plugins.toml` of the data folder: on or off, and its settings.

    [finish]
    enabled = false

    [finish.settings]
    unit = "mm"

Switching off never removes settings, and what isn't known is kept.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.errors import PluginError
from toolkit.plugins.lock import write_whole

FILE = "plugins.toml"


class Choices:
    """Reads the file once; every change is written at once. A file that can't be read is named in `problem`."""

    def __init__(self, path: Path | None) -> None:
        self.path, self.problem = path, ""
        self._plain: dict[str, Any] = {}
        if path is None:
            return
        try:
            self._plain = tomllib.loads(path.read_text("utf-8-sig"))
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            self.problem = f"{path} can't be read, so plugins have their usual settings: {error}"

    def enabled(self, name: str, usual: bool = True) -> bool:
        """Whether the owner wants a plugin on; `usual` when nothing was chosen."""
        return self._table(name).get("enabled", usual) is not False

    def settings(self, name: str) -> Mapping[str, Any]:
        """What was set, unchecked."""
        settings = self._table(name).get("settings", {})
        return settings if isinstance(settings, dict) else {}

    def to_dict(self) -> dict[str, Any]:
        return self._plain

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Choices:
        """Choices that were read elsewhere, for the engine's process."""
        choices = cls(None)
        choices._plain = dict(plain)
        return choices

    def enable(self, name: str, on: bool) -> None:
        self._change(name, "enabled", on)

    def set(self, name: str, settings: Mapping[str, Any]) -> None:
        self._change(name, "settings", dict(settings))

    def _table(self, name: str) -> Mapping[str, Any]:
        table = self._plain.get(name, {})
        return table if isinstance(table, dict) else {}

    def _change(self, name: str, key: str, value: Any) -> None:
        if self.problem:
            raise PluginError(self.problem)
        self._plain[name] = {**self._table(name), key: value}
        if self.path is None:
            return
        import tomlkit  # keeps what a person wrote in the file: order, comments, spaces

        document = tomlkit.parse(self.path.read_text("utf-8-sig") if self.path.exists() else "")
        if not isinstance(document.get(name), Mapping):
            document[name] = tomlkit.table()
        document[name][key] = value
        write_whole(self.path, tomlkit.dumps(document))
