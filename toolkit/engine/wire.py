"""What crosses between the studio and its engine process: a JSON header and raw bytes, never pickle."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, BinaryIO

from toolkit.engine.protocol import EngineEvent, EngineJob, Picture
from toolkit.jobs import JobState
from toolkit.request import GenerationRequest

_LENGTHS = struct.Struct("<II")
_MAX_HEADER, _MAX_BODY = 2**24, 2**31

Message = tuple[dict[str, Any], list[bytes]]


class Wire:
    """Messages over a pair of pipes; `send` may be called from any thread, `receive` from one."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source, self._sink = source, sink
        self._sending = threading.Lock()

    def send(self, header: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> None:
        """Send one message; raise OSError when the other side is gone."""
        plain = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}).encode()
        with self._sending:
            self._sink.write(_LENGTHS.pack(len(plain), sum(map(len, blobs))))
            self._sink.write(plain)
            for blob in blobs:
                self._sink.write(blob)
            self._sink.flush()

    def receive(self) -> Message | None:
        """The next message, None when the other side has closed or died."""
        lengths = self._read(_LENGTHS.size)
        if lengths is None:
            return None
        size, body_size = _LENGTHS.unpack(lengths)
        if size > _MAX_HEADER or body_size > _MAX_BODY:
            return None  # not our message: something else wrote to the pipe
        plain, body = self._read(size), self._read(body_size)
        if plain is None or body is None:
            return None
        header = json.loads(plain)
        blobs, start = [], 0
        for length in header.pop("blobs"):
            blobs.append(body[start : start + length])
            start += length
        return header, blobs

    def _read(self, size: int) -> bytes | None:
        parts = []
        while size:
            part = self._source.read(size)
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def pack_job(job: EngineJob) -> Message:
    """A job as a header, and the files of its input pictures."""
    header = {
        "kind": "job", "id": job.id, "request": job.request.to_dict(), "exact": job.exact, "who": job.who,
        "pictures": list(job.pictures), "skipped": list(job.skipped),
    }  # fmt: skip
    return header, list(job.pictures.values())


def unpack_job(header: Mapping[str, Any], blobs: Sequence[bytes]) -> EngineJob:
    pictures = dict(zip(header["pictures"], blobs, strict=True))
    request = GenerationRequest.from_dict(header["request"])
    return EngineJob(header["id"], request, header["exact"], header["who"], pictures, tuple(header["skipped"]))


def pack_event(event: EngineEvent) -> Message:
    """An event as a header and its previews, then its pictures, as raw bytes."""
    sizes = [(picture.width, picture.height, picture.mode) for picture in event.pictures]
    light = EngineEvent(
        event.job_id, event.state, event.phase, event.step, event.steps, error=event.error, note=event.note,
        seconds=event.seconds, facts=event.facts, withheld=event.withheld, skipped=event.skipped,
    )  # fmt: skip
    header = {"kind": "event", "event": {**asdict(light), "state": event.state.value}, "sizes": sizes}
    return header, [*event.previews, *(picture.rgb for picture in event.pictures)]


def unpack_event(header: Mapping[str, Any], blobs: Sequence[bytes]) -> EngineEvent:
    count = len(blobs) - len(header["sizes"])
    pictures = tuple(
        Picture(width, height, pixels, mode)
        for (width, height, mode), pixels in zip(header["sizes"], blobs[count:], strict=True)
    )
    plain = header["event"]
    values = {**plain, "state": JobState(plain["state"]), "withheld": tuple(plain["withheld"])}
    values["skipped"] = tuple(plain["skipped"])
    return EngineEvent(**{**values, "previews": tuple(blobs[:count]), "pictures": pictures})
