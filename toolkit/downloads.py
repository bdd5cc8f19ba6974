"""Models from a hub or an address, fetched only when a person asks: what it would be first, then the files, resumed.

Only files that can't carry code are fetched: weights as safetensors, configurations and vocabularies.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import unquote, urlsplit

from toolkit.errors import ModelError
from toolkit.weights import check_weights

# A diffusers folder needs these and nothing else of its repository.
_TEXTS = (
    "model_index.json", "*/config.json", "*/*_config.json", "*/vocab.json", "*/merges.txt", "*/tokenizer.json",
    "*/special_tokens_map.json",
)  # fmt: skip
_PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")
_STEMS = ("diffusion_pytorch_model", "model")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SECONDS = 30.0


@dataclass(frozen=True)
class Plan:
    """What would be fetched: `files` with their sizes in bytes (None where the server doesn't say), and where to."""

    source: str
    target: Path
    files: dict[str, int | None]
    _fetch: Callable[[Callable[[int], None]], None] = field(repr=False)

    @property
    def bytes(self) -> int:
        return sum(size or 0 for size in self.files.values())

    def fetch(self, progress: Callable[[int], None] = lambda done: None) -> Path:
        """Fetch the files, going on where an earlier try stopped; returns the folder or file.

        Raises ModelError when the server can't be reached, the disk is too small, or a file comes out damaged.
        """
        home = next(folder for folder in (self.target, *self.target.parents) if folder.is_dir())
        free = shutil.disk_usage(home).free
        if self.bytes > free:
            raise ModelError(f"{self.source} needs {self.bytes / 1e9:.1f} GB; the disk has {free / 1e9:.1f} GB free.")
        self._fetch(progress)
        return self.target


def plan(source: str, folder: Path, endpoint: str | None = None) -> Plan:
    """What fetching `source` into `folder` would be; asks the server for names and sizes only.

    `source` is a hub id (ORG/NAME, or ORG/NAME/FILE.safetensors), an address on the hub, or any https address of a
    .safetensors file. `endpoint` is the hub's address, None the usual one. Raises ModelError.
    """
    here = Path(source).expanduser()
    if here.is_absolute() and here.exists():
        folder_of = here if here.is_dir() else here.parent
        raise ModelError(f"{here} is on this machine already: use its folder by `launch.py models add {folder_of}`.")
    address = urlsplit(source)
    hub = urlsplit(endpoint or os.environ.get("HF_ENDPOINT") or "https://huggingface.co").netloc
    if address.scheme and address.netloc != hub:
        return _plan_address(source, folder)
    parts = [unquote(part) for part in address.path.strip("/").split("/")]
    name, rest = "/".join(parts[:2]), parts[2:]
    revision = None
    if rest[:1] in (["resolve"], ["blob"], ["tree"]):
        revision, rest = (rest[1] if len(rest) > 1 else None), rest[2:]
    if not _REPO.fullmatch(name) or ".." in rest:
        raise ModelError(f"“{source}” is neither a hub id such as ORG/NAME nor an address that begins with https://.")
    return _plan_hub(source, name, "/".join(rest), revision, folder, endpoint)


def _plan_hub(source: str, name: str, file: str, revision: str | None, folder: Path, endpoint: str | None) -> Plan:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    api = HfApi(endpoint=endpoint)
    # Which library the hub's client speaks HTTP by differs with its version; its own error has that one's for a base.
    failures = (*HfHubHTTPError.__bases__, OfflineModeIsEnabled, OSError)
    try:
        info = api.model_info(name, revision=revision, files_metadata=True, timeout=_SECONDS)
    except failures as error:
        raise ModelError(f"{source} can't be asked for ({_reason(error)}): check the name and the connection.")
    sizes = {one.rfilename: one.size for one in info.siblings or []}
    wanted = _wanted(source, sizes, file)
    target = folder / name.split("/")[1] if "model_index.json" in wanted else folder / Path(wanted[0]).name
    place = target if "model_index.json" in wanted else folder

    def fetch(progress: Callable[[int], None]) -> None:
        done = 0
        for one in wanted:
            try:
                got = api.hf_hub_download(name, one, revision=info.sha, local_dir=place)
            except failures as error:
                raise ModelError(f"{one} did not arrive ({_reason(error)}): the same command goes on where it stopped.")
            if one.endswith(".safetensors"):
                check_weights(Path(got))
            done += sizes[one] or 0
            progress(done)
        if place is folder and Path(got) != target:
            os.replace(got, target)
        shutil.rmtree(place / ".cache", ignore_errors=True)

    return Plan(source, target, {one: sizes[one] for one in wanted}, fetch)


def _wanted(source: str, names: Collection[str], file: str) -> list[str]:
    """The files of a repository that make a model: one that is named, a diffusers folder's, or the only checkpoint."""
    if file:
        if file not in names:
            raise ModelError(f"{source}: the repository has no file {file}.")
        if not file.endswith(".safetensors"):
            raise ModelError(f"{file} can carry code and isn't fetched: look for the model as .safetensors.")
        return [file]
    if "model_index.json" in names:
        texts = [one for one in names if any(fnmatch(one, pattern) for pattern in _TEXTS)]
        weights = [one for part in _PARTS if (one := _weights(names, part))]
        if not weights:
            raise ModelError(f"{source} has no weights as safetensors; others can carry code and aren't fetched.")
        return sorted(texts) + weights
    single = [one for one in names if one.endswith(".safetensors") and "/" not in one]
    if len(single) != 1:
        there = ", ".join(sorted(single)) or "none"
        raise ModelError(f"{source} has several files, or none: name one as ORG/NAME/FILE. There: {there}.")
    return single


def _weights(names: Collection[str], part: str) -> str | None:
    """A component's weights, in half precision where there is a choice."""
    fitting = (f"{part}/{stem}{half}.safetensors" for half in (".fp16", "") for stem in _STEMS)
    return next((one for one in fitting if one in names), None)


def _plan_address(source: str, folder: Path) -> Plan:
    import httpx

    address = urlsplit(source)
    name = Path(unquote(address.path)).name
    local = address.scheme == "http" and address.hostname in ("127.0.0.1", "localhost", "::1")
    if address.scheme != "https" and not local:
        raise ModelError(f"{source} won't work: only addresses that begin with https:// are fetched.")
    if not name.endswith(".safetensors"):
        raise ModelError(f"{source} is no .safetensors file; other formats can carry code and aren't fetched.")
    target, part = folder / name, folder / f"{name}.part"
    try:
        head = httpx.head(source, follow_redirects=True, timeout=_SECONDS)
        head.raise_for_status()
    except httpx.HTTPError as error:
        raise ModelError(f"{source} can't be asked for ({_reason(error)}): check the address and the connection.")
    size = int(head.headers["content-length"]) if head.headers.get("content-length", "").isdigit() else None

    def fetch(progress: Callable[[int], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _stream(source, part, progress)
        except (httpx.HTTPError, OSError) as error:
            raise ModelError(f"{name} did not arrive ({_reason(error)}): the same command goes on where it stopped.")
        try:
            check_weights(part)
        except ModelError:
            part.unlink()
            raise ModelError(f"What {source} gives is no sound safetensors file: check the address.")
        os.replace(part, target)

    return Plan(source, target, {name: size}, fetch)


def _stream(source: str, part: Path, progress: Callable[[int], None]) -> None:
    """Append to what is there; a server that starts over is followed."""
    import httpx

    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with httpx.stream("GET", source, headers=headers, follow_redirects=True, timeout=_SECONDS) as answer:
        if answer.status_code == 416:  # everything is there already
            return
        answer.raise_for_status()
        more = answer.status_code == 206
        done = have if more else 0
        with part.open("ab" if more else "wb") as file:
            for chunk in answer.iter_raw():
                file.write(chunk)
                done += len(chunk)
                progress(done)


def _reason(error: Exception) -> str:
    """An error's first line, short enough for a sentence."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else ""
    return (text or type(error).__name__)[:160].rstrip(".:")
