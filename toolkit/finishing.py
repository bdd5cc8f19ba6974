"""Finishing steps of a request: what plugins do to a picture after it is drawn, by name and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.errors import RequestError

MAX_STEPS = 12


@dataclass(frozen=True, slots=True)
class FinishStep:
    """A step of a plugin, "grain" say, with the options that differ from its defaults."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, **({"options": dict(self.options)} if self.options else {})}

    @classmethod
    def from_dict(cls, plain: Any) -> FinishStep:
        """Read what `to_dict` wrote; raise RequestError for anything else."""
        if not isinstance(plain, Mapping) or not isinstance(plain.get("name"), str) or set(plain) - {"name", "options"}:
            raise RequestError("finish", f'{str(plain)[:80]} is no finishing step; write {{"name": "grain"}}.')
        return cls(plain["name"], options_from(plain.get("options", {}), f"finish.{plain['name'][:40]}"))


def steps_from(plain: Any) -> tuple[FinishStep, ...]:
    """The steps of a request from JSON."""
    if not isinstance(plain, (list, tuple)) or len(plain) > MAX_STEPS:
        raise RequestError("finish", f"“finish” must be a list of at most {MAX_STEPS} finishing steps.")
    return tuple(one if isinstance(one, FinishStep) else FinishStep.from_dict(one) for one in plain)


def options_from(plain: Any, field_name: str) -> dict[str, Any]:
    """Named plain values; raise RequestError for what JSON can't hold or what nests."""
    if not isinstance(plain, Mapping) or not all(isinstance(name, str) for name in plain):
        raise RequestError(field_name, f"“{field_name}” must be a set of named options.")
    for name, value in plain.items():
        if not isinstance(value, (str, int, float, bool)):
            raise RequestError(field_name, f"“{field_name}.{name}” is {str(value)[:60]}, but must be one plain value.")
    return dict(plain)


def extras_from(plain: Any) -> dict[str, dict[str, Any]]:
    """Options for plugins by their names, from JSON."""
    if not isinstance(plain, Mapping):
        raise RequestError("extras", "“extras” must be a set of plugins with their options.")
    return {str(name): options_from(given, f"extras.{name}") for name, given in plain.items()}
