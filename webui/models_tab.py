"""Models: what is there, what it may be used for, how large it is, and what is in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from toolkit.errors import ModelError
from toolkit.licences import plain_licence
from toolkit.sidecars import told
from toolkit.weights import read_json
from webui.view import shell

if TYPE_CHECKING:
    from toolkit.model_files import ModelFile, WeightsFile
    from toolkit.models import ModelIndex
    from toolkit.studio import Studio

_CARD = ("title", "licence", "description")
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
    stats = studio.engine.stats()
    memory: Mapping[str, Any] = {one["id"]: one for one in stats.get("models", ())}
    return {
        "machine": {
            "device": stats.get("device", "unknown"),
            "dtype": stats.get("dtype", "unknown"),
            "budget": stats.get("budget"),
            "used": sum(one.get("bytes", 0) for one in memory.values() if one.get("warm")),
        },
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
                "needs": _needs(model, studio.models, str(stats.get("dtype"))),
            }
            for model in studio.models.list()
        ],
        "kinds": [
            {"kind": kind, "title": title, "files": [_file(file) for file in studio.models.files(kind)]}
            for kind, title in KINDS.items()
        ],
        "problems": studio.models.problems(),
    }


def _needs(model: ModelFile, models: ModelIndex, dtype: str) -> int | None:
    """The bytes that a model fills once it is loaded; None when its files can't be read."""
    try:
        stat = model.weights("unet").stat()
        found = models.memory.facts(
            f"{model.path}|elements", (stat.st_mtime_ns, stat.st_size), lambda: {"elements": model.elements()}
        )
    except (ModelError, OSError):
        return None
    return found["elements"] * (4 if dtype == "float32" else 2)


def _file(file: WeightsFile) -> dict[str, Any]:
    facts = {**told(file), **_of_folder(file)}
    licence = str(facts.get("licence") or "unknown")
    return {
        "name": file.name,
        "title": str(facts.get("title") or file.name),
        "licence": licence,
        "allows": plain_licence(licence),
        "bytes": file.bytes,
        "about": str(facts.get("error") or facts.get("description") or "")[:300],
    }


def _of_folder(file: WeightsFile) -> dict[str, Any]:
    """What is known of a file in diffusers' layout by its folder: every such file has the same name."""
    if not file.name.startswith("diffusion_pytorch_model"):
        return {}
    card = file.path.with_name("card.json")
    try:
        known = read_json(card) if card.is_file() else {}
    except ModelError:
        known = {}
    return {"title": file.path.parent.name} | {name: known[name] for name in _CARD if isinstance(known.get(name), str)}
