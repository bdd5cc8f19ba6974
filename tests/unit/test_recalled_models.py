"""What a picture says of its model: a name and a hash, never a folder of this machine, and enough to find it again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.test_checkpoints import checkpoint
from toolkit.commands.dry_run import resolved
from toolkit.commands.generate import build_request
from toolkit.commands.line import read
from toolkit.errors import RequestError
from toolkit.metadata import png_info, read_settings
from toolkit.model_folders import LIST, add_folder
from toolkit.models import ModelIndex
from toolkit.plain_names import is_plain_name, plain_name
from toolkit.recalled_models import with_model
from toolkit.request import GenerationRequest
from toolkit.settings import load_settings
from toolkit.studio import Studio


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/ada/private/dream.v2.safetensors", "dream.v2"), ("C:\\Users\\Ada\\dream.CKPT", "dream"),
        ("../models/dream-xl/", "dream-xl"), ("~/dream-1.5", "dream-1.5"), ("dream.safetensors", "dream.safetensors"),
        ("dream", "dream"), ("/", ""), ("~", ""), ("..", ""),
    ],
)  # fmt: skip
def test_the_name_of_a_path_of_any_system(path: str, name: str) -> None:
    assert plain_name(path) == name
    assert is_plain_name(path) == (path == name != "")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A checkpoint in a folder that the studio doesn't list."""
    checkpoint(tmp_path / "private" / "dream.safetensors")
    return tmp_path / "private" / "dream.safetensors"


def saved(file: Path, model: str, facts: dict) -> Path:
    Image.new("RGB", (8, 8)).save(file, pnginfo=png_info(GenerationRequest("a fish", model=model, seed=3), facts))
    return file


def test_a_picture_does_not_tell_where_its_model_lies(tmp_path: Path, outside: Path) -> None:
    with Studio(data=tmp_path / "data", engine="sketch") as studio:
        [made] = studio.generate(GenerationRequest("a fish", model=str(outside), seed=3))
        assert made.request.model == str(outside), "what is kept here can be drawn again here"
    with Image.open(made.path) as image:
        told = json.dumps(image.text)
    assert "private" not in told and str(tmp_path) not in told
    assert "Model: dream," in told
    assert read_settings(made.path)[0].model == "dream"


def test_a_model_outside_of_the_folders_is_found_again_by_its_hash(tmp_path: Path, outside: Path) -> None:
    settings = load_settings(data=tmp_path / "data")
    first = ModelIndex.of(settings).find(str(outside))
    picture = saved(tmp_path / "one.png", str(outside), {"model_hash": first.settled_hash()})
    args = read(["generate", "--from", str(picture), "--dry-run"])
    request, facts = build_request(args)
    assert (request.model, facts["model_hash"]) == ("dream", first.hash)
    [again] = resolved(request, settings, args, facts)
    assert again.model == str(outside)
    assert with_model(request, facts, ModelIndex.of(settings))[0].model == "dream", "only for somebody at the machine"
    outside.write_bytes(outside.read_bytes() + b" ")
    with pytest.raises(RequestError, match="no model called “dream”"):
        resolved(request, settings, args, facts)


def test_a_folder_is_found_again_by_the_hash_of_its_denoiser(tmp_path: Path) -> None:
    starter = next(model for model in ModelIndex.of(load_settings(data=tmp_path)).list() if not model.single)
    listed = tmp_path / "elsewhere" / LIST
    add_folder(listed, tmp_path)
    index = ModelIndex([listed])
    assert index.find(str(starter.path)).settled_hash() == starter.hash
    found, notes = with_model(
        GenerationRequest("a fish", model="gone"), {"model_hash": starter.hash}, index, paths=True
    )  # fmt: skip
    assert (found.model, notes) == (str(starter.path), [])


def test_older_pictures_with_a_path_are_read_and_drawn(tmp_path: Path, outside: Path) -> None:
    request = GenerationRequest("a fish", model=str(outside))
    assert with_model(request, {}, ModelIndex([]), paths=True) == (request, [])
    add_folder(tmp_path / "data" / LIST, outside.parent)
    index = ModelIndex([tmp_path / "data" / LIST])
    for old in ("/somewhere/else/dream.safetensors", "D:\\models\\dream.safetensors", "dream"):
        assert with_model(GenerationRequest("a fish", model=old), {}, index) == (request.with_(model="dream"), [])


def test_another_model_of_the_same_name_is_told_apart_by_its_hash(tmp_path: Path) -> None:
    checkpoint(tmp_path / "models" / "dream.safetensors")
    checkpoint(tmp_path / "models" / "sub" / "other.safetensors", metadata={"note": "other"})
    index = ModelIndex([tmp_path / "models"])
    request = GenerationRequest("a fish", model="dream")
    other = index.find("other")
    assert other.hash != index.find("dream").hash
    assert with_model(request, {"model_hash": other.hash.upper()}, index) == (request.with_(model="other"), [])
    known, notes = with_model(request, {"model_hash": "0123456789"}, index)
    assert known == request
    assert notes == [
        "The model called “dream” here is not the one that drew this picture: that has the hash 0123456789."
    ]
    assert with_model(request, {"model_hash": ["no text"]}, index) == (request, [])
