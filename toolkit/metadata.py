"""Settings inside picture files: ours are written here, anybody's are read here, whatever the file turns out to be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

import toolkit
from toolkit.embedded import embedded_texts
from toolkit.errors import MetadataError, RequestError
from toolkit.foreign import read_foreign
from toolkit.infotext import infotext, parse_infotext, split_infotext
from toolkit.plain_names import shareable
from toolkit.recall import checked
from toolkit.request import GenerationRequest

OWN, PARAMETERS = "limner", "parameters"
_EXIF, _USER_COMMENT = 0x8769, 0x9286


def png_info(request: GenerationRequest, facts: Mapping[str, Any]) -> PngInfo:
    """The text chunks of a PNG: A1111's "parameters", and "limner" with all of the request and `facts` as JSON.

    A model is named without the folder it lies in: pictures are shared.
    """
    request, info = shareable(request), PngInfo()
    # `add_text` writes tEXt for Latin-1 and iTXt (UTF-8) for everything else.
    info.add_text(PARAMETERS, infotext(request, facts))
    own = {"version": toolkit.__version__, "request": request.to_dict(), "facts": dict(facts)}
    info.add_text(OWN, _json(own))
    return info


def exif(request: GenerationRequest, facts: Mapping[str, Any]) -> bytes:
    """For `Image.save(…, exif=…)` as JPEG or WebP: A1111's text as the EXIF UserComment."""
    tags = Image.Exif()
    tags.get_ifd(_EXIF)[_USER_COMMENT] = b"UNICODE\0" + infotext(shareable(request), facts).encode("utf-16-be")
    return tags.tobytes()


def read_settings(source: Path | bytes) -> tuple[GenerationRequest, dict[str, Any], list[str]]:
    """The request that drew a PNG, JPEG or WebP file, facts about how, and sentences about what was not understood.

    Reads pictures of Limner, A1111 and its kin, ComfyUI, InvokeAI, Fooocus and NovelAI; no pixel is decoded. Raises
    MetadataError, in little time and memory, for everything else.
    """
    texts = embedded_texts(source)
    notes: list[str] = []
    if OWN in texts:
        try:
            return (*read_own(texts[OWN]), notes)
        except MetadataError as error:
            if PARAMETERS not in texts:
                raise
            notes.append(f"{error} The settings come from the A1111 text beside it.")
    found = read_foreign(texts)
    if found is not None:
        request, facts, more = found
        return request, facts, notes + more
    if PARAMETERS not in texts:
        raise MetadataError("This picture carries no settings of Limner, A1111 or another studio.")
    request, more = parse_infotext(texts[PARAMETERS])
    return request, _facts(texts[PARAMETERS]), notes + more


def read_own(text: str) -> tuple[GenerationRequest, dict[str, Any]]:
    """Request and facts of the "limner" chunk; raises MetadataError when it is damaged or can't be true."""
    try:
        own = json.loads(text)
        request = GenerationRequest.from_dict(own["request"])
        facts = own.get("facts", {})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MetadataError("Limner's own settings in this picture are damaged.") from error
    except RequestError as error:
        raise MetadataError(f"Limner's own settings in this picture can't be read: {error}") from error
    if not isinstance(facts, dict):
        raise MetadataError("Limner's own settings in this picture are damaged.")
    return checked(request), facts


def _facts(text: str) -> dict[str, Any]:
    settings = split_infotext(text)[2]
    version = settings.get("Version", "")
    facts = {
        "generator": "Limner" if version.startswith("Limner ") else "A1111",
        "version": version.removeprefix("Limner "),
        "model_hash": settings.get("Model hash"),
    }
    return {name: value for name, value in facts.items() if value}


def _json(value: Any) -> str:
    # A fact of a strange type must not cost the picture, so it is kept as its text.
    text = json.dumps(value, ensure_ascii=False, default=str)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, default=str)
    return text
