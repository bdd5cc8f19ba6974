"""A picture as a row of the database, as an entry of the gallery, and as what a search finds."""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import RequestError
from toolkit.jobs import Who
from toolkit.request import GenerationRequest

MAX_SEARCH_WORDS = 50

_INSERT = """
    INSERT OR {} INTO pictures (id, path, who, job, place, created, width, height, request, words)
    VALUES (:id, :path, :who, :job, :place, :created, :width, :height, :request, :words)
"""
# Another studio's sweep may list a file before its own row is written: whoever saved it knows better.
INSERT_SAVED, INSERT_FOUND = _INSERT.format("REPLACE"), _INSERT.format("IGNORE")


@dataclass(frozen=True, slots=True)
class Entry:
    """A saved picture as the gallery lists it; `created` is in seconds since the epoch."""

    id: str
    path: Path
    request: GenerationRequest
    created: float
    width: int
    height: int
    job_id: str
    index: int
    deleted: bool


def row_of(
    picture_id: str, name: Path, who: str, job_id: str, index: int, created: float, size: tuple[int, int],
    request: GenerationRequest,
) -> dict[str, Any]:  # fmt: skip
    written = request.written.prompt if request.written else ""
    return {
        "id": picture_id,
        "path": name.as_posix(),
        "who": who,
        "job": job_id,
        "place": index,
        "created": created,
        "width": size[0],
        "height": size[1],
        "request": json.dumps(request.to_dict()),
        "words": folded(f"{request.prompt}\n{written}"),
    }


def entry_of(folder: Path, row: sqlite3.Row) -> Entry:
    try:
        request = GenerationRequest.from_dict(json.loads(row["request"]))
    except RequestError:
        # A newer Limner may have drawn with settings that this one doesn't know; the file itself is fine.
        request = GenerationRequest(prompt=str(json.loads(row["request"]).get("prompt", "")))
    return Entry(
        id=row["id"],
        path=folder / row["path"],
        request=request,
        created=row["created"],
        width=row["width"],
        height=row["height"],
        job_id=row["job"],
        index=row["place"],
        deleted=row["deleted"] is not None,
    )


def folded(text: str) -> str:
    """Without case and accents, so that "cafe" finds "Café"."""
    apart = unicodedata.normalize("NFKD", text.casefold().encode("utf-8", "replace").decode("utf-8"))
    return "".join(character for character in apart if not unicodedata.combining(character))


def matching(who: Who, search: str) -> tuple[str, list[Any]]:
    words = list(dict.fromkeys(folded(search).split()))[:MAX_SEARCH_WORDS]
    condition = "".join(["who = ? AND deleted IS NULL AND missing = 0", *[" AND instr(words, ?)"] * len(words)])
    return condition, [who.id, *words]
