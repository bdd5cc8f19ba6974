"""Styles and sizes by name, read from presets: data that anybody can add to, checked so that none harms another."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.geometry import Size

PRESETS = Path(__file__).resolve().parent.parent / "presets" / "styles"
PLACE = "{prompt}"
MAX_FILE_BYTES = 1_000_000
MAX_TEXT = 2_000
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
PREVIEW = re.compile(r"[A-Za-z0-9][\w.-]{0,99}\.(webp|png|jpg|jpeg)")
STYLE_FIELDS = frozenset({"name", "group", "description", "prompt", "negative", "preview"})
SIZE_FIELDS = frozenset({"name", "group", "note", "ratio", "area"})


@dataclass(frozen=True, slots=True)
class Style:
    """Words around a prompt. `prompt` holds `{prompt}` where the person's words go; `preview` is beside `source`."""

    id: str
    name: str
    group: str
    description: str
    prompt: str
    negative: str = ""
    preview: str = ""
    source: Path = Path()

    @property
    def preview_path(self) -> Path | None:
        """The preview's file; None when there is none."""
        path = self.source.parent / self.preview
        return path if self.preview and path.is_file() else None

    def around(self, prompt: str) -> str:
        """`prompt` with this style's words: in every `{prompt}`, or before the style's words when it has no place."""
        if PLACE in self.prompt:
            return self.prompt.replace(PLACE, prompt)
        return _joined(prompt, self.prompt)


class StyleLibrary:
    """All styles of some folders of TOML files; a later folder's style replaces an earlier one of the same id.

    `styles` keeps the order of files and of styles in them; `problems` has one sentence, with file and line, for
    everything that was skipped.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self.styles: dict[str, Style] = {}
        self.problems: list[str] = []
        for folder in folders:
            for path in sorted(Path(folder).glob("*.toml")):
                self._add(path)

    def apply(self, prompt: str, negative: str, ids: Sequence[str]) -> tuple[str, str]:
        """The prompt and the negative prompt with the styles `ids`, applied in their order, the first one innermost.

        Raises KeyError for an id that isn't there. The person's own text is never changed: a style is taken off by
        applying again without its id.
        """
        for style in (self.styles[style_id] for style_id in ids):
            prompt = style.around(prompt)
            negative = _joined(negative, style.negative)
        return prompt, negative

    def _add(self, path: Path) -> None:
        tables, problems = _tables(path, "style", STYLE_FIELDS)
        self.problems += problems
        for style_id, line, table in tables:
            wrong = _wrong_style(style_id, table)
            if wrong:
                self.problems.append(f"{path.name}, line {line}: the style “{style_id}” was skipped: {wrong}.")
            else:
                self.styles[style_id] = Style(id=style_id, source=path, **table)


def all_styles(data: Path, more: Iterable[Style] = ()) -> StyleLibrary:
    """The presets' styles, the person's own in the data folder, and `more` from plugins, which replace none of them."""
    library = StyleLibrary([PRESETS, data / "styles"])
    for style in more:
        library.styles.setdefault(style.id, style)
    return library


@dataclass(frozen=True, slots=True)
class NamedSize:
    """A shape with a name. `size` is for a model of 512 × 512 pixels in steps of 8; `at` gives it for any other."""

    name: str
    group: str
    note: str
    ratio: tuple[float, float]
    area: float = 1.0
    id: str = ""

    @property
    def size(self) -> Size:
        return self.at((512, 512), 8)

    def at(self, native: tuple[int, int] | Sequence[int], multiple: int) -> Size:
        """This shape with about `area` times the pixels of a model's native size, on its grid of `multiple` pixels.

        Of the sizes on the grid near to it, the one whose shape is truest; no side under eight multiples.
        """
        wide, high = self.ratio
        scale = (native[0] * native[1] * self.area / (wide * high)) ** 0.5
        least = 8 * multiple
        ideal = Size(round(wide * scale), round(high * scale))
        near = ideal.snap(multiple)
        candidates = {
            Size(max(least, near.width + across * multiple), max(least, near.height + down * multiple))
            for across in (-1, 0, 1)
            for down in (-1, 0, 1)
        }
        return min(candidates, key=lambda size: (_distortion(size, wide / high, ideal.pixels), size))


def load_sizes(path: Path, problems: list[str] | None = None) -> list[NamedSize]:
    """Read named sizes in the order of the file; what is wrong is skipped and told to `problems`."""
    tables, found = _tables(Path(path), "size", SIZE_FIELDS)
    sizes = []
    for size_id, line, table in tables:
        ratio = _ratio(table.get("ratio"))
        area = table.get("area", 1.0)
        wrong = _wrong_text(table, ("name",), ("group", "note"))
        if ratio is None:
            wrong = f"its ratio is {table.get('ratio')!r}, but must be like \"4:5\", no side over 8 times the other"
        elif isinstance(area, bool) or not isinstance(area, (int, float)) or not 0.05 <= area <= 4:
            wrong = f"its area is {area!r}, but must be a number from 0.05 to 4"
        if wrong or ratio is None:
            found.append(f"{path.name}, line {line}: the size “{size_id}” was skipped: {wrong}.")
            continue
        sizes.append(
            NamedSize(table["name"], table.get("group", ""), table.get("note", ""), ratio, float(area), size_id)
        )
    if problems is not None:
        problems += found
    return sizes


def _joined(first: str, second: str) -> str:
    return ", ".join(text for text in (first.strip().rstrip(","), second.strip()) if text)


def _distortion(size: Size, ratio: float, pixels: float) -> float:
    shape = size.width / size.height / ratio
    amount = size.pixels / pixels
    return max(shape, 1 / shape) - 1 + 0.15 * (max(amount, 1 / amount) - 1)


def _ratio(value: Any) -> tuple[float, float] | None:
    found = re.fullmatch(r"(\d{1,4}(?:\.\d{1,3})?):(\d{1,4}(?:\.\d{1,3})?)", value) if isinstance(value, str) else None
    if not found:
        return None
    wide, high = float(found[1]), float(found[2])
    return (wide, high) if wide > 0 and high > 0 and 1 / 8 <= wide / high <= 8 else None


def _tables(path: Path, kind: str, known: frozenset[str]) -> tuple[list[tuple[str, int, dict[str, Any]]], list[str]]:
    """The tables `[kind.id]` of a file with the lines they begin at, and sentences about what can't be used."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            most = f"{MAX_FILE_BYTES // 1_000_000} MB"
            return [], [f"{path.name}, line 1: the file is larger than {most} and was skipped."]
        text = path.read_text("utf-8")
        plain = tomllib.loads(text)
    except OSError as error:
        return [], [f"{path.name}, line 1: the file can't be read ({error.strerror or error})."]
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return [], [f"{path.name}, line {line}: the file is not UTF-8 text and was skipped."]
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return [], [f"{path.name}, {_place(error, text)}: the file was skipped: {_reason(error)}."]
    problems, tables = [], []
    for name in plain:
        if name != kind:
            place = f"{path.name}, line {_line(text, name)}"
            problems.append(f"{place}: “{name}” is not known here; write [{kind}.some-id].")
    inner = plain.get(kind, {})
    for key, table in inner.items() if isinstance(inner, Mapping) else ():
        line = _line(text, key, kind)
        if not ID.fullmatch(key) or not isinstance(table, dict):
            place = f"{path.name}, line {line}"
            problems.append(f"{place}: “{key}” was skipped: an id is small letters, digits and hyphens.")
        elif unknown := sorted(set(table) - known):
            problems.append(
                f"{path.name}, line {_line(text, unknown[0], after=line)}: the {kind} “{key}” was skipped: "
                f"there is no setting “{unknown[0]}” (known are {', '.join(sorted(known))})."
            )
        else:
            tables.append((key, line, table))
    return tables, problems


def _wrong_style(style_id: str, table: Mapping[str, Any]) -> str:
    wrong = _wrong_text(table, ("name", "group", "description", "prompt"), ("negative", "preview"))
    if not wrong and table.get("preview") and not PREVIEW.fullmatch(table["preview"]):
        wrong = f"its preview “{table['preview']}” must be the name of a webp, png or jpg file beside it"
    return wrong


def _wrong_text(table: Mapping[str, Any], needed: Sequence[str], free: Sequence[str]) -> str:
    for name in (*needed, *free):
        value = table.get(name, "")
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            return f"its {name} must be text of at most {MAX_TEXT:,} characters"
        if name in needed and not value.strip():
            return f"it has no {name}"
    return ""


def _line(text: str, name: str, kind: str = "", after: int = 1) -> int:
    """The line where a table or a setting begins, counted from 1."""
    table = rf"^\s*\[+\s*{re.escape(kind)}\s*\.\s*[\"']?{re.escape(name)}[\"']?\s*\]" if kind else None
    setting = rf"^\s*(\[+\s*)?[\"']?{re.escape(name)}[\"']?\s*[=.\]]"
    for number, line in enumerate(text.splitlines(), 1):
        if number >= after and re.match(table or setting, line):
            return number
    return after


def _place(error: Exception, text: str) -> str:
    found = re.search(r"line (\d+)", str(error))
    return f"line {found[1]}" if found else f"line {text.count(chr(10)) + 1}"


def _reason(error: Exception) -> str:
    text = re.sub(r"\s*\(at .*\)$", "", str(error)) or "it can't be read"
    return text[0].lower() + text[1:]
