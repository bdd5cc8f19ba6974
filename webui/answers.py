"""What every route answers with: JSON, files, and errors as one sentence with a fitting status."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response

from toolkit.errors import LimnerError, MetadataError, ModelError, NotAdmitted, RequestError, StorageError
from webui.feed import dump

log = logging.getLogger(__name__)

NOTHING = "There is nothing here."

Answer = Callable[[Request], Awaitable[Response]]


class Missing(LimnerError):
    """What was asked for isn't there, or isn't this person's: both sound the same from outside."""


def answered(answer: Answer) -> Answer:
    """Turn our errors into {"field", "error"} with a status; anything else is logged and told in one sentence."""

    async def wrapped(request: Request) -> Response:
        try:
            return await answer(request)
        except NotAdmitted as error:
            headers = {"retry-after": f"{error.retry_after:.0f}"} if error.retry_after else {}
            plain = {"field": error.field, "error": str(error), "retry_after": error.retry_after}
            return reply(plain, 429 if error.retry_after else 403, headers)
        except RequestError as error:
            return reply({"field": error.field, "error": str(error)}, 422)
        except Missing as error:
            return reply({"field": None, "error": str(error)}, 404)
        except (MetadataError, ModelError, StorageError) as error:
            field, status = {MetadataError: ("file", 422), ModelError: ("model", 422)}.get(type(error), (None, 507))
            return reply({"field": field, "error": str(error)}, status)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:  # page boundary: the person gets a sentence, the log gets the traceback
            log.exception("%s %s failed", request.method, request.url.path)
            return reply({"field": None, "error": "Something went wrong in the studio; its log says what."}, 500)

    return wrapped


def reply(plain: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(dump(plain), status, {"cache-control": "no-store", **(headers or {})}, "application/json")


def picture_file(path: Path | None) -> Response:
    if path is None or not path.is_file():
        raise Missing(NOTHING)
    return FileResponse(path, headers={"cache-control": "private, max-age=3600"})


def media_type(picture: bytes) -> str:
    return {b"\xff\xd8": "image/jpeg", b"\x89P": "image/png"}.get(picture[:2], "image/webp")


def mapping(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RequestError(field, f"“{field}” must be a set of named values.")
    return value


async def body_of(request: Request, known: set[str]) -> Mapping[str, Any]:
    """The JSON object of a request's body, with `known` names only."""
    raw = await request.body()
    try:
        plain = json.loads(raw)
        dump(plain)  # refuses what no answer could ever carry: NaN, halves of surrogate pairs
    except (ValueError, RecursionError) as error:
        raise RequestError("request", "That is no JSON text the studio can read.") from error
    for name in sorted(set(mapping(plain, "request")) - known):
        raise RequestError(name, f"There is no setting called “{name}”.")
    return plain
