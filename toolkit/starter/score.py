"""What every score of the evaluation gives back: shares, their intervals, more numbers, and a sheet of pictures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

LABEL = 16


@dataclass
class Score:
    """`values` stand in the table and the JSON; `intervals` are 95 % ones of the same names; `details` say more."""

    values: dict[str, Any]
    intervals: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


def _fitting(title: str, letters: int) -> str:
    """As many whole words as fit into a column."""
    while len(title) > letters and " " in title:
        title = title.rsplit(" ", 1)[0]
    return title.rstrip(" ,")


def write_sheet(rows: list[list[np.ndarray]], titles: list[str], path: Path, side: int = 128) -> None:
    """Writes rows of pictures with a title over each column as a PNG of 256 colours."""
    columns = max(len(row) for row in rows)
    sheet = Image.new("RGB", (columns * (side + 4) + 4, len(rows) * (side + 4) + LABEL + 4), (250, 250, 250))
    pen = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        pen.text((4 + column * (side + 4), 3), _fitting(title, side // 5), fill=(40, 40, 46), font_size=10)
    for index, row in enumerate(rows):
        for column, picture in enumerate(row):
            image = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(image, (4 + column * (side + 4), LABEL + 4 + index * (side + 4)))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(256, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)


def share(marks: Iterable[float]) -> float:
    """The mean of scores in 0..1, or the share of what is right."""
    return round(float(np.mean(list(marks))), 4)


def mean_interval(values: Sequence[float], digits: int = 2) -> list[float]:
    """The 95 % interval of a mean, as two numbers."""
    half = 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return [round(float(np.mean(values)) - half, digits), round(float(np.mean(values)) + half, digits)]
