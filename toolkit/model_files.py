"""A model on disk, whichever form it has: a folder in diffusers' layout, or one file as A1111 and ComfyUI use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.checkpoints import UNET, component_config, vae_prefix
from toolkit.diffusers_folders import folder_weights
from toolkit.errors import ModelError
from toolkit.families import FAMILIES, Family
from toolkit.file_memory import FileMemory
from toolkit.licences import plain_licence
from toolkit.plain_names import is_plain_name
from toolkit.weights import header_of, read_json, short


@dataclass(frozen=True)
class WeightsFile:
    """A LoRA, VAE, embedding, ControlNet or upscaler on disk, told by its header; nothing of it is loaded.

    `name` is the file's without its ending, `facts` what the header says in JSON-ready values: "kind", "dtype", and
    where the maker wrote it "title", "licence", "trigger", "description"; "error" is the reason for a damaged one.
    """

    name: str
    path: Path
    kind: str
    bytes: int
    facts: Mapping[str, Any] = field(compare=False)
    preview: Path | None = None

    @property
    def title(self) -> str:
        return str(self.facts.get("title") or self.name)

    @property
    def licence(self) -> str:
        return str(self.facts.get("licence") or "unknown")


@dataclass(frozen=True)
class ModelFile:
    """A model the studio can draw with; `card` always has family, native_size, size_multiple and defaults.

    `id` is the folder's or file's name, or its path when it was asked for by path; `path` the folder or file.
    `scheduler` is the noise it was trained on, as diffusers writes it. `preview` is a picture of what it draws, `vae`
    the file of the autoencoder beside a checkpoint.
    """

    id: str
    path: Path
    title: str
    family: str
    licence: str
    bytes: int
    card: Mapping[str, Any] = field(compare=False)
    scheduler: Mapping[str, Any] = field(compare=False, repr=False)
    _memory: FileMemory = field(compare=False, repr=False)
    preview: Path | None = None
    vae: Path | None = None

    @property
    def row(self) -> Family:
        """The model's row in the table of families."""
        return FAMILIES[self.family]

    @property
    def single(self) -> bool:
        """True for one file that holds every component."""
        return self.path.suffix != "" and self.path.is_file()

    @property
    def sha256(self) -> str | None:
        """The SHA-256 of the checkpoint, or of a folder's denoiser; None while a large file is still being read."""
        return self._memory.sha256(self.weights("unet"))

    @property
    def known_hash(self) -> str | None:
        """The same if it is known by now: no large file is read for it."""
        return self._memory.known(self.weights("unet"))

    @property
    def hash(self) -> str | None:
        """The first ten hex digits of `sha256`, which A1111 and the sites for models know a checkpoint by."""
        whole = self.sha256
        return whole and whole[:10]

    def settled_hash(self) -> str | None:
        """`hash`, waited for where only it tells which model it was: for one that is named by its path."""
        named = is_plain_name(self.id)
        return self.hash if named else self._memory.sha256(self.weights("unet"), wait=True)[:10]

    @property
    def plain_licence(self) -> str:
        """What the licence lets people do, in plain words."""
        return plain_licence(self.licence)

    def weights(self, component: str) -> Path:
        """The safetensors file that holds a component; raise ModelError when there is none."""
        if component == "vae" and self.vae is not None:
            return self.vae
        return self.path if self.single else folder_weights(self.path, component)

    def config(self, component: str) -> dict[str, Any]:
        """A component's configuration, as diffusers or transformers write it; raise ModelError without one."""
        if not self.single:
            return read_json(self.path / component / "config.json")
        path = self.weights(component)
        return component_config(path, header_of(path), self.row, component)

    def check(self) -> None:
        """Raise ModelError naming the file when a weights file is missing, cut short or damaged."""
        for component in self.row.components:
            header = header_of(self.weights(component))
            if self.single and component == "vae" and vae_prefix(header) is None:
                remedy = f"put its autoencoder beside it as {self.path.stem}.vae.safetensors"
                raise ModelError(f"{short(self.path)} holds no autoencoder: {remedy}.")

    def elements(self, *components: str) -> int:
        """Numbers in these components, all without any: what they need in memory, divided by the bytes of one."""
        wanted = components or self.row.components
        if not self.single:
            return sum(header_of(self.weights(component)).elements() for component in wanted)
        prefixes = {"unet": UNET, **{one.component: one.prefix for one in self.row.text_encoders}}
        header, vae = header_of(self.path), header_of(self.weights("vae"))
        own = sum(header.elements(prefix) for component, prefix in prefixes.items() if component in wanted)
        return own + (vae.elements(vae_prefix(vae) or "") if "vae" in wanted else 0)
