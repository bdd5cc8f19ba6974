"""Finished pictures: files in folders by date, a row for each, found again by their words."""

from __future__ import annotations

import io
import logging
import re
import secrets
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from toolkit.database import Database
from toolkit.entries import INSERT_FOUND, INSERT_SAVED, Entry, entry_of, matching, row_of
from toolkit.errors import MetadataError, StorageError
from toolkit.geometry import Size
from toolkit.jobs import OWNER, GeneratedImage, Who
from toolkit.metadata import png_info, read_settings
from toolkit.picture_files import PictureFiles
from toolkit.plain_names import shareable
from toolkit.plugins.calls import describe, sign
from toolkit.request import GenerationRequest
from toolkit.thumbnails import UNREADABLE, Thumbnails

if TYPE_CHECKING:
    from toolkit.plugins.plugins import Plugins

log = logging.getLogger(__name__)

# Faster by half than Pillow's usual level, for files an eighth larger.
COMPRESS_LEVEL = 1
MAX_INDEX = 10_000


class Gallery:
    """The pictures below `folder`. Every question is asked by somebody and answered from their own pictures only.

    `plugins` describe and sign what is saved.
    """

    def __init__(self, folder: Path, database: Database, plugins: Plugins | None = None) -> None:
        self.folder = Path(folder)
        self._plugins = plugins
        self._files = PictureFiles(self.folder)
        self._database = database
        self._thumbnails = Thumbnails(self.folder)

    def save(
        self, image: Image.Image, request: GenerationRequest, *, who: Who, job_id: str, index: int,
        facts: Mapping[str, Any],
    ) -> GeneratedImage:  # fmt: skip
        """Write FOLDER/DATE/NUMBER-SEED.png and its row; the file is whole and on the disk when this returns.

        Raises StorageError with the folder and the remedy, and leaves nothing half-written behind.
        """
        picture_id, now = secrets.token_hex(8), time.time()
        known = {**facts, "picture": picture_id, "job": job_id, "index": index, "created": round(now, 3)}
        if self._plugins is not None:
            known |= describe(self._plugins, shareable(request), image)
        packed = io.BytesIO()
        image.save(packed, "PNG", compress_level=COMPRESS_LEVEL, pnginfo=png_info(request, known))
        content: bytes | memoryview = packed.getbuffer()
        if self._plugins is not None:
            content = sign(self._plugins, packed.getvalue(), shareable(request))
        day = datetime.fromtimestamp(now).strftime("%Y-%m-%d")
        path = self._files.write(day, request.seed, content)
        row = row_of(picture_id, path.relative_to(self.folder), who.id, job_id, index, now, image.size, request)
        try:
            with self._database.transaction() as connection:
                connection.execute(INSERT_SAVED, row)
        except StorageError as error:
            # The file is safe and whole, so it stays: `sweep` lists it at the next start.
            raise StorageError(f"The picture is saved as {path}, but listed only after a restart: {error}") from error
        self._thumbnails.later(row["path"])
        size = Size(*image.size)
        return GeneratedImage(id=picture_id, request=request, path=path, image=image, index=index, size=size)

    def page(self, who: Who, *, search: str = "", before: str | None = None, limit: int = 60) -> list[Entry]:
        """Up to `limit` of the person's pictures, newest first, that hold all words of `search` in their prompts.

        `before` is the id of the last picture of the page before; an id that isn't the person's gives an empty page.
        """
        condition, values = matching(who, search)
        if before is not None:
            condition += (
                " AND (created, seq) < (SELECT created, seq FROM pictures AS last WHERE last.id = ? AND last.who = ?)"
            )
            values += [before, who.id]
        rows = self._database.rows(
            f"SELECT * FROM pictures WHERE {condition} ORDER BY created DESC, seq DESC LIMIT ?",
            [*values, max(0, limit)],
        )
        return [entry_of(self.folder, row) for row in rows]

    def count(self, who: Who, search: str = "") -> int:
        condition, values = matching(who, search)
        return self._database.rows(f"SELECT count(*) FROM pictures WHERE {condition}", values)[0][0]

    def get(self, image_id: str, who: Who) -> Entry | None:
        """The person's own picture, deleted ones included until they are purged; None for any other id."""
        rows = self._database.rows("SELECT * FROM pictures WHERE id = ? AND who = ?", (image_id, who.id))
        return entry_of(self.folder, rows[0]) if rows else None

    def of_job(self, job_id: str, who: Who) -> list[Entry]:
        """The pictures of one of the person's jobs in their order, without deleted ones."""
        condition, values = matching(who, "")
        rows = self._database.rows(
            f"SELECT * FROM pictures WHERE {condition} AND job = ? ORDER BY place, seq", [*values, job_id]
        )
        return [entry_of(self.folder, row) for row in rows]

    def thumbnail(self, image_id: str, who: Who) -> bytes | None:
        """A WebP file of at most 256 × 256 pixels; None for a picture that isn't the person's or can't be read."""
        rows = self._database.rows("SELECT path FROM pictures WHERE id = ? AND who = ?", (image_id, who.id))
        return self._thumbnails.get(rows[0]["path"]) if rows else None

    def delete(self, image_id: str, who: Who) -> bool:
        """Hide a picture; its file stays until `purge`. False when it isn't there, or hidden already."""
        return self._mark("deleted = ?", "deleted IS NULL", (time.time(), image_id, who.id))

    def restore(self, image_id: str, who: Who) -> bool:
        """Show a deleted picture again; False when there is nothing to restore."""
        return self._mark("deleted = NULL", "deleted IS NOT NULL", (image_id, who.id))

    def _mark(self, change: str, condition: str, values: tuple[Any, ...]) -> bool:
        with self._database.transaction() as connection:
            done = connection.execute(f"UPDATE pictures SET {change} WHERE id = ? AND who = ? AND {condition}", values)
            return done.rowcount == 1

    def purge(self, older_than_s: float) -> int:
        """Remove for good what was deleted more than `older_than_s` seconds ago; returns how many pictures that were.

        A file that can't be removed keeps its row, and is tried again the next time.
        """
        rows = self._database.rows(
            "SELECT seq, path FROM pictures WHERE deleted IS NOT NULL AND deleted <= ?", (time.time() - older_than_s,)
        )
        gone = []
        for row in rows:
            if self._files.remove(row["path"]):
                self._thumbnails.remove(row["path"])
                gone.append((row["seq"],))
        with self._database.transaction() as connection:
            connection.executemany("DELETE FROM pictures WHERE seq = ?", gone)
        return len(gone)

    def sweep(self) -> None:
        """Make folder and database agree, as at every start: after a crash, a damaged database, a tidied-up folder.

        Removes unfinished files. Pictures without a row get one from what stands in them; they belong to the person
        of their job, or to the owner where the job is forgotten. Rows whose file is gone are hidden while it is.
        """
        others = bool(self._database.session.others())
        self._files.remove_parts(older_than_s=3600.0 if others else 0.0)
        on_disk = self._files.names()
        known = {row["path"]: row["missing"] for row in self._database.rows("SELECT path, missing FROM pictures")}
        found = [row for name in sorted(on_disk - known.keys()) if (row := self._found(name))]
        changed = [(name not in on_disk, name) for name, missing in known.items() if (name not in on_disk) != missing]
        if not found and not changed:
            return
        people = {row["id"]: row["who"] for row in self._database.rows("SELECT id, who FROM jobs")}
        with self._database.transaction() as connection:
            connection.executemany("UPDATE pictures SET missing = ? WHERE path = ?", changed)
            taken = {row["id"] for row in connection.execute("SELECT id FROM pictures")}
            for row in sorted(found, key=lambda row: row["created"]):
                # A copy of a picture carries the id of the first one.
                if row["id"] in taken:
                    row["id"] = secrets.token_hex(8)
                taken.add(row["id"])
                connection.execute(INSERT_FOUND, {**row, "who": people.get(row["job"], OWNER.id)})
        log.info("%d pictures were found in %s without a row, %d rows changed", len(found), self.folder, len(changed))

    def close(self) -> None:
        """Finish the thumbnails that are being made; may be called twice."""
        self._thumbnails.close()

    def _found(self, name: str) -> dict[str, Any] | None:
        path = self.folder / name
        try:
            with Image.open(path, formats=["PNG"]) as image:
                size = image.size
            request, facts, _ = read_settings(path)
        except MetadataError:
            request, facts = GenerationRequest(), {}
        except UNREADABLE as error:
            log.warning("%s is no picture (%s) and stays out of the gallery", path, error)
            return None
        created, index = facts.get("created"), facts.get("index")
        return row_of(
            _plain_id(facts.get("picture")) or secrets.token_hex(8),
            Path(name),
            OWNER.id,
            _plain_id(facts.get("job")),
            index if type(index) is int and 0 <= index < MAX_INDEX else 0,
            created if isinstance(created, float) and 0 < created < time.time() else path.stat().st_mtime,
            size,
            request,
        )


def _plain_id(value: object) -> str:
    """What stands in a file that somebody may have put into the folder is not trusted further than this."""
    return value if isinstance(value, str) and re.fullmatch(r"[\w-]{1,64}", value, re.ASCII) else ""
