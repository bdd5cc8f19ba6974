"""The headers of safetensors files: which tensors a file holds, and what its maker wrote into it.

The format: eight bytes of header length (little endian), the header as JSON, then the tensors' bytes at the offsets
that the header gives.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

MAX_HEADER = 100 * 1024 * 1024
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")

Shape = tuple[int, ...]


class HeaderError(ValueError):
    """A file is no sound safetensors file; the message is what follows "it is damaged: "."""


@dataclass(frozen=True)
class Header:
    """What stands in a file's header: the shape and dtype of each tensor, and the maker's own texts."""

    shapes: Mapping[str, Shape] = field(repr=False)
    dtypes: Mapping[str, str] = field(repr=False)
    metadata: Mapping[str, str] = field(repr=False)

    def elements(self, prefix: str = "") -> int:
        """Numbers in all tensors whose names begin with `prefix`."""
        return sum(math.prod(shape) for name, shape in self.shapes.items() if name.startswith(prefix))

    def shape(self, name: str, near: Iterable[str] = ()) -> Shape | None:
        """The shape of a tensor under the first of several names."""
        return next((self.shapes[one] for one in (name, *near) if one in self.shapes), None)

    @property
    def dtype(self) -> str:
        """The dtype of most numbers, such as "F16"."""
        counts: dict[str, int] = {}
        for name, shape in self.shapes.items():
            counts[self.dtypes[name]] = counts.get(self.dtypes[name], 0) + math.prod(shape)
        return max(counts, key=counts.__getitem__, default="")


def read_header(path: Path) -> Header:
    """The header of a file, remembered until the file changes.

    Raises HeaderError for a file that is cut short or is something else, OSError for one that can't be read.
    """
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=16)
def _read(path: Path, mtime_ns: int, size: int) -> Header:
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if start.startswith(_PICKLES):
            raise HeaderError("it is a pickle, which can carry code, and was only renamed")
        if len(start) < 8:
            raise HeaderError(f"it has only {size} bytes")
        if length > MAX_HEADER or length + 8 > size:
            raise HeaderError(f"its header would be {length} bytes long, but the file has {size}")
        return parse_header(file.read(length), size - 8 - length)


def parse_header(plain: bytes, body: int) -> Header:
    """A header from its JSON; `body` is the number of bytes that follow it. Raises HeaderError."""
    try:
        tensors: dict[str, Any] = orjson.loads(plain)
        metadata = tensors.pop("__metadata__", None) or {}
        shapes = {name: tuple(value["shape"]) for name, value in tensors.items()}
        dtypes = {name: value["dtype"] for name, value in tensors.items()}
        ends = [value["data_offsets"] for value in tensors.values()]
        outside = any(not 0 <= start <= end for start, end in ends)
        needed = max((end for _, end in ends), default=0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise HeaderError("its header is not a safetensors header") from error
    if outside:
        raise HeaderError("its header places a tensor outside the file")
    if needed > body:
        raise HeaderError(f"it should have {needed - body} bytes more")
    texts = {str(name): value for name, value in metadata.items() if isinstance(value, str)}
    return Header(shapes, dtypes, texts)
