"""Sizes as values with operators, so that a width can't be taken for a height."""

from __future__ import annotations

import re
from typing import NamedTuple


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read "512x768" (also with "×" or spaces); raise ValueError for anything else."""
        found = re.fullmatch(r"\s*(\d{1,6})\s*[xX×]\s*(\d{1,6})\s*", text)
        if not found:
            raise ValueError(f"“{text}” is not a size. Write width x height, for example 512x768.")
        return cls(int(found[1]), int(found[2]))

    @property
    def pixels(self) -> int:
        return self.width * self.height

    def snap(self, multiple: int) -> Size:
        """The nearest size whose sides are multiples of `multiple`, each at least one multiple."""
        return Size(*(max(multiple, round(side / multiple) * multiple) for side in self))

    def fit(self, longest: int) -> Size:
        """The largest size of the same shape whose longer side is at most `longest`; never enlarges."""
        scale = min(1.0, longest / max(self))
        return Size(max(1, round(self.width * scale)), max(1, round(self.height * scale)))

    def __str__(self) -> str:
        return f"{self.width} × {self.height}"
