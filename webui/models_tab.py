"""Models: what is there, what it may be used for, how large it is, and what is in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from toolkit.licences import plain_licence
from webui.view import shell

if TYPE_CHECKING:
    from toolkit.studio import Studio

KINDS = {
    "lora": "LoRAs",
    "controlnet": "ControlNets",
    "upscaler": "Upscalers",
    "embedding": "Embeddings",
    "vae": "Autoencoders (VAE)",
}


def build_models(studio: Studio) -> None:
    """Put the page where the scripts of assets/js/models.js show the models."""
    shell("models")


def models_view(studio: Studio) -> dict[str, Any]:
    """Everything about the models on the disk, JSON-ready and without folders of the machine. Reads files."""
    memory: Mapping[str, Any] = {one["id"]: one for one in studio.engine.stats().get("models", ())}
    return {
        "models": [
            {
                "id": model.id,
                "title": model.title,
                "family": model.row.title,
                "licence": model.licence,
                "allows": model.plain_licence,
                "bytes": model.bytes,
                "warm": bool(memory.get(model.id, {}).get("warm")),
                "memory": memory.get(model.id, {}).get("bytes", 0),
            }
            for model in studio.models.list()
        ],
        "kinds": [
            {"kind": kind, "title": title, "files": [_file(file) for file in studio.models.files(kind)]}
            for kind, title in KINDS.items()
        ],
        "problems": studio.models.problems(),
    }


def _file(file: Any) -> dict[str, Any]:
    return {
        "name": file.name,
        "title": file.title,
        "licence": file.licence,
        "allows": plain_licence(file.licence),
        "bytes": file.bytes,
        "about": str(file.facts.get("error") or file.facts.get("description") or "")[:300],
    }
