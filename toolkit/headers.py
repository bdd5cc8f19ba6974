"""The headers of safetensors files: which tensors a file holds, and what its maker wrote into it.

The format: eight bytes of header length (little endian), the header as JSON, then the tensors' bytes at the offsets
that the header gives. A header has up to thousands of entries and a folder thousands of files, so that what tells a
file's kind is looked for in the bytes; all of it is read for files that are used.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import orjson

MAX_HEADER = 100 * 1024 * 1024
# What often stands in a model's place: how it begins, what it is, and what helps.
_DISGUISES = (
    (
        (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04"),
        "it is a pickle, which can carry code, and was only renamed",
        "Get the model as .safetensors",
    ),
    (
        (b"version ",),
        "it is a pointer of Git LFS that stands in the model's place",
        "Run `git lfs pull` in the folder it comes from, or download the file itself",
    ),
    (
        (b"<!DOCTYP", b"<!doctyp", b"<html", b"<HTML", b"<?xml"),
        "it is a web page that was saved in the model's place",
        "Download it again, logged in if its site asks for that",
    ),
)
_METADATA = re.compile(r'\s*\{\s*"__metadata__"\s*:\s*')
_SHAPE = rb'"shape"\s*:\s*\[([\d,\s]*)\]'
_DTYPE = re.compile(rb'"dtype"\s*:\s*"(\w+)"')
_LAST_OFFSET = re.compile(rb'"data_offsets"\s*:\s*\[\s*\d+\s*,\s*(\d+)\s*\]')

Shape = tuple[int, ...]


class HeaderError(ValueError):
    """A file is no sound safetensors file; the message follows "it is damaged: ", and `remedy` says what helps."""

    def __init__(self, message: str, remedy: str = "Copy the file again"):
        super().__init__(message)
        self.remedy = remedy


class Header:
    """What stands in a file's header; `plain` is its JSON, `body` the number of bytes that follow it."""

    def __init__(self, plain: bytes, body: int) -> None:
        self._plain, self._body = plain, body

    def has(self, name: str) -> bool:
        """Whether there is a tensor of this name."""
        return f'"{name}":'.encode() in self._names

    def begins(self, prefix: str) -> bool:
        """Whether any tensor's name begins so."""
        return f'"{prefix}'.encode() in self._names

    def mentions(self, part: str) -> bool:
        """Whether `part` stands in any tensor's name."""
        return part.encode() in self._names

    def shape(self, name: str) -> Shape | None:
        """The shape of a tensor, None without one of this name."""
        entry = re.search(rb'"%s"\s*:\s*\{[^}]*?%s' % (re.escape(name.encode()), _SHAPE), self._names)
        return None if entry is None else _sides(entry[1])

    @property
    def only(self) -> Shape | None:
        """The shape of the one tensor in the file, None where there are more or none."""
        found = re.findall(_SHAPE, self._names) if self._names.count(b'"shape"') == 1 else []
        return _sides(found[0]) if found else None

    @property
    def first(self) -> str:
        """The name of the first tensor."""
        found = re.search(rb'"([^"]*)"\s*:\s*\{', self._names)
        return found[1].decode(errors="replace") if found else "no tensor"

    @property
    def dtype(self) -> str:
        """The dtype of the last tensor, such as "F16", which is that of most."""
        found = _DTYPE.findall(self._plain[-400:])
        return found[-1].decode() if found else ""

    @cached_property
    def metadata(self) -> Mapping[str, str]:
        """What the maker wrote into the file, texts only."""
        return {name: text for name, text in self._divided[0].items() if isinstance(text, str)}

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of every tensor, by name."""
        return {name: tuple(entry["shape"]) for name, entry in self._tensors.items()}

    @cached_property
    def dtypes(self) -> Mapping[str, str]:
        """The dtype of every tensor, by name."""
        return {name: entry["dtype"] for name, entry in self._tensors.items()}

    def elements(self, prefix: str = "") -> int:
        """Numbers in all tensors whose names begin with `prefix`."""
        return sum(math.prod(shape) for name, shape in self.shapes.items() if name.startswith(prefix))

    def check(self) -> None:
        """Raise HeaderError unless every tensor is described and lies inside the file."""
        try:
            ends = [entry["data_offsets"] for entry in self._tensors.values()]
            outside = any(not 0 <= start <= end for start, end in ends)
            needed = max((end for _, end in ends), default=0)
            described = len(self.shapes) == len(self.dtypes)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise HeaderError("its header is not a safetensors header") from error
        if outside or not described:
            raise HeaderError("its header places a tensor outside the file")
        self._check_size(needed)

    def glance(self) -> None:
        """Raise HeaderError for a file that is cut short or no safetensors file, as far as its last tensor tells."""
        if not self._plain.startswith(b"{") or not self._plain.rstrip().endswith(b"}"):
            raise HeaderError("its header is not a safetensors header")
        # Writers set tensors one after the other, so that the last one written down ends the file.
        ends = _LAST_OFFSET.findall(self._plain[-400:])
        self._check_size(int(ends[-1]) if ends else 0)

    def _check_size(self, needed: int) -> None:
        if needed > self._body:
            whole = 8 + len(self._plain) + needed
            raise HeaderError(f"it should have {whole} bytes and has {whole - needed + self._body}")

    @cached_property
    def _tensors(self) -> dict[str, Any]:
        tensors = orjson.loads(self._plain)
        tensors.pop("__metadata__", None)
        return tensors

    @cached_property
    def _divided(self) -> tuple[Mapping[str, Any], bytes]:
        """The maker's texts, which writers set first, and the bytes behind them."""
        text = self._plain.decode("utf-8", errors="replace")
        start = _METADATA.match(text)
        if start is None:
            return {}, self._plain
        try:
            found, end = json.JSONDecoder().raw_decode(text, start.end())
        except (ValueError, RecursionError):
            return {}, self._plain
        return (found if isinstance(found, dict) else {}), text[end:].encode()

    @property
    def _names(self) -> bytes:
        return self._divided[1]


def _sides(text: bytes) -> Shape:
    return tuple(int(side) for side in text.split(b",") if side.strip())


def read_header(path: Path) -> Header:
    """The header of a file that is used, wholly checked and remembered until the file changes.

    Raises HeaderError for a file that is cut short or is something else, OSError for one that can't be read.
    """
    stat = path.stat()
    return _checked(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=16)
def _checked(path: Path, mtime_ns: int, size: int) -> Header:
    header = _read(path)
    header.check()
    return header


def glance_at(path: Path) -> Header:
    """The header of a file that is only listed; raises the same, but looks at the last tensor alone."""
    header = _read(path)
    header.glance()
    return header


def _read(path: Path) -> Header:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        length = int.from_bytes(start, "little")
        for starts, what, remedy in _DISGUISES:
            if start.startswith(starts):
                raise HeaderError(what, remedy)
        if len(start) < 8:
            raise HeaderError(f"it has only {size} bytes")
        if length > MAX_HEADER or length + 8 > size:
            raise HeaderError(f"its header would be {length} bytes long, but the file has {size}")
        return Header(file.read(length), size - 8 - length)
