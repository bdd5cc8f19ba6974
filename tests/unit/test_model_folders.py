"""Folders laid out as A1111 and ComfyUI do are used where they are, listed in the data folder, and let go of again."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.test_checkpoints import KINDS, checkpoint, write
from toolkit.commands import models as command
from toolkit.commands.line import read
from toolkit.errors import ModelError
from toolkit.model_folders import LIST, ModelFolders, add_folder, read_list, remove_folder
from toolkit.models import ModelIndex
from toolkit.settings import MODELS, load_settings

A1111 = {
    "checkpoint": "models/Stable-diffusion/sub/dream.safetensors", "lora": "models/Lora/ink.safetensors",
    "vae": "models/VAE/soft.safetensors", "embedding": "embeddings/bad.safetensors",
    "controlnet": "models/ControlNet/edges.safetensors",
}  # fmt: skip
COMFY = {
    "checkpoint": "models/checkpoints/dream.safetensors", "lora": "models/loras/ink.safetensors",
    "vae": "models/vae/soft.safetensors", "embedding": "models/embeddings/bad.safetensors",
    "controlnet": "models/controlnet/edges.safetensors",
}  # fmt: skip
LAYOUTS = {"A1111": (A1111, "models/ESRGAN/4x.pth"), "ComfyUI": (COMFY, "models/upscale_models/4x.pth")}


@pytest.fixture(params=list(LAYOUTS))
def layout(request, tmp_path) -> tuple[Path, dict[str, Path]]:
    names, upscaler = LAYOUTS[request.param]
    root = tmp_path / request.param
    paths = {kind: root / name for kind, name in names.items()} | {"upscaler": root / upscaler}
    checkpoint(paths["checkpoint"])
    for kind, tensors in KINDS.items():
        write(paths[kind], tensors)
    paths["upscaler"].parent.mkdir(parents=True)
    paths["upscaler"].write_bytes(b"PK\x03\x04")
    (root / "venv").mkdir()
    return root, paths


def test_every_kind_is_found_in_the_root_and_in_its_models_folder(layout):
    root, paths = layout
    for place in (root, root / "models"):
        index = ModelIndex([place])
        assert [model.path for model in index.list()] == [paths["checkpoint"]]
        assert index.problems() == []
        for kind in (*KINDS, "upscaler"):
            if place is root or kind != "embedding" or paths[kind].is_relative_to(place):
                assert [file.path for file in index.files(kind)] == [paths[kind]]


def test_limners_own_folder_of_checkpoints_stands_for_its_neighbours(tmp_path):
    write(tmp_path / "models" / "loras" / "ink.safetensors", KINDS["lora"])
    checkpoint(tmp_path / "models" / "checkpoints" / "a.safetensors")
    folders = ModelFolders([tmp_path / "models" / "checkpoints"])
    assert folders.paths("lora") == [tmp_path / "models" / "loras"]
    assert folders.paths("checkpoint") == [tmp_path / "models" / "checkpoints"]
    assert folders.paths("vae") == []


def test_files_of_one_name_in_several_folders_are_told_apart(tmp_path):
    for folder in ("b", "a", "a/c"):
        checkpoint(tmp_path / folder / "same.safetensors")
    index = ModelIndex([tmp_path])
    assert {model.id: model.path.parent.name for model in index.list()} == {
        "same": "c", "same (a)": "a", "same (b)": "b",
    }  # fmt: skip
    assert index.find("same (b)").path == tmp_path / "b" / "same.safetensors"


EXTRA = """
a111:
    base_path: {base}
    checkpoints: models/Stable-diffusion
    loras: |
         models/Lora
         models/LyCORIS
    configs: models/Stable-diffusion
elsewhere:
    vae: {vae}
"""


def test_further_folders_that_comfyui_lists_are_used_too(tmp_path):
    comfy, webui = tmp_path / "ComfyUI", tmp_path / "webui"
    checkpoint(comfy / "models" / "checkpoints" / "own.safetensors")
    checkpoint(webui / "models" / "Stable-diffusion" / "theirs.safetensors")
    write(webui / "models" / "LyCORIS" / "ink.safetensors", KINDS["lora"])
    write(tmp_path / "soft" / "soft.safetensors", KINDS["vae"])
    index = ModelIndex([comfy])
    assert [model.id for model in index.list()] == ["own"]
    listed = comfy / "extra_model_paths.yaml"
    listed.write_text(EXTRA.format(base=webui, vae=tmp_path / "soft"))
    assert [model.id for model in index.list()] == ["own", "theirs"]
    assert [file.name for file in index.files("lora")] == ["ink"]
    assert [file.name for file in index.files("vae")] == ["soft"]
    listed.write_text("a: [unclosed")
    assert [model.id for model in index.list()] == ["own"]
    assert "extra_model_paths.yaml can't be read" in index.problems()[0]
    for text in ("- a list", "a: text", "a: {checkpoints: [1]}", "!!python/object/apply:os.system ['true']"):
        listed.write_text(text)
        assert [model.id for model in index.list()] == ["own"]


@pytest.mark.parametrize("end", ["", ".safetensors", ".safetensors [0123456789]", " [01234567]"])
def test_a_model_is_found_by_the_title_that_a1111_gives_it(tmp_path, end):
    checkpoint(tmp_path / "ink v2.safetensors")
    assert ModelIndex([tmp_path]).find(f"ink v2{end}").id == "ink v2"


@pytest.mark.skipif(os.name == "nt", reason="making links needs rights there")
def test_links_are_followed_and_a_loop_ends(tmp_path):
    real = checkpoint(tmp_path / "disk" / "big.safetensors")
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "linked.safetensors").symlink_to(real)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "gone.safetensors").symlink_to(tmp_path / "nowhere.safetensors")
    index = ModelIndex([folder])
    assert [model.id for model in index.list()] == ["linked"]
    assert any("gone.safetensors" in problem for problem in index.problems())


def test_folders_are_added_and_removed_by_the_command_line(layout, tmp_path, capsys):
    root, paths = layout
    before = sorted((str(path), path.stat().st_mtime_ns) for path in root.rglob("*"))

    def run(*words: str) -> int:
        args = read(["models", *words, "--data", str(tmp_path / "data")])
        return command.run(args, load_settings(data=args.data))

    assert run("add", str(root)) == 0
    assert "1 LoRA," in capsys.readouterr().out
    assert run("--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert str(paths["checkpoint"]) in {model["path"] for model in listed["models"]}
    assert [file["path"] for file in listed["lora"] if "ink" in file["name"]] == [str(paths["lora"])]
    with pytest.raises(ModelError, match="is in the list already"):
        run("add", str(root))
    assert run("remove", str(root)) == 0
    assert "its files are untouched" in capsys.readouterr().out
    with pytest.raises(ModelError, match=r"is not in the list\. In the list: none"):
        run("remove", str(root))
    assert sorted((str(path), path.stat().st_mtime_ns) for path in root.rglob("*")) == before
    with pytest.raises(ModelError, match=r"There is no folder .*nowhere"):
        run("add", str(tmp_path / "nowhere"))


def test_a_damaged_file_of_any_kind_is_said_and_not_counted(tmp_path, capsys):
    loras = tmp_path / "mine" / "models" / "Lora"
    loras.mkdir(parents=True)
    (loras / "torn.safetensors").write_bytes(bytes(40))
    add_folder(tmp_path / "data" / LIST, tmp_path / "mine")
    args = read(["models", "--json", "--data", str(tmp_path / "data")])
    assert command.run(args, load_settings(data=args.data)) == 0
    listed = json.loads(capsys.readouterr().out)
    assert "torn" not in {file["name"] for file in listed["lora"]}
    assert any("Lora/torn.safetensors is damaged" in problem for problem in listed["problems"])


def test_a_running_studio_sees_a_folder_that_is_added_meanwhile(layout, tmp_path):
    root, paths = layout
    listed = tmp_path / "data" / LIST
    index = ModelIndex([listed])
    assert index.list() == []
    add_folder(listed, root)
    assert [model.path for model in index.list()] == [paths["checkpoint"]]
    assert index.find("dream").path == paths["checkpoint"]
    remove_folder(listed, root)
    assert index.list() == []


def test_the_studio_uses_its_own_folder_and_those_that_were_added(tmp_path):
    settings = load_settings(data=tmp_path)
    index = ModelIndex.of(settings)
    assert index.folders == (MODELS, tmp_path / LIST)
    (tmp_path / LIST).write_text(f"# mine\n\n{tmp_path / 'gone'}\n")
    assert read_list(tmp_path / LIST) == [tmp_path / "gone"]
    assert {model.id for model in index.list()} >= {"limner-starter"}
    assert f"The folder {tmp_path / 'gone'} isn't there: plug in its disk" in index.problems()[0]


def test_what_is_known_of_files_outlives_a_restart_and_its_loss(tmp_path, monkeypatch):
    checkpoint(tmp_path / "models" / "a.safetensors")
    listed = tmp_path / "data" / LIST
    add_folder(listed, tmp_path / "models")
    first = ModelIndex([listed])
    digest = first.list()[0].sha256
    kept = tmp_path / "data" / "model-files.sqlite"

    def never(path: Path) -> None:
        raise AssertionError(f"{path} was read again")

    with monkeypatch.context() as patched:
        patched.setattr("toolkit.models.file_facts", never)
        again = ModelIndex([listed])
        assert again.list() == first.list()
    with sqlite3.connect(kept) as connection:
        assert [row[3] for row in connection.execute("SELECT * FROM hashes")] == [digest]
    kept.write_bytes(b"no database at all, and long enough to be looked at")
    lost = ModelIndex([listed])
    assert lost.list() == first.list()
    assert lost.list()[0].sha256 == digest
    assert ModelIndex([listed]).by_hash(digest[:10]).id == "a"
    assert lost.by_hash("zz") is None


def test_several_processes_may_begin_with_the_memory_at_once(tmp_path):
    checkpoint(tmp_path / "models" / "a.safetensors")
    listed = tmp_path / "data" / LIST
    add_folder(listed, tmp_path / "models")
    code = "import sys; from toolkit.models import ModelIndex; print(ModelIndex([sys.argv[1]]).list()[0].sha256)"
    root = Path(__file__).resolve().parents[2]
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(listed)], cwd=root, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    digests = {one.communicate(timeout=60)[0].strip() for one in started}
    assert digests == {hashlib.sha256((tmp_path / "models" / "a.safetensors").read_bytes()).hexdigest()}
    with sqlite3.connect(tmp_path / "data" / "model-files.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM facts").fetchone() == (1,)


def test_a_large_file_is_hashed_in_the_background(tmp_path, monkeypatch):
    monkeypatch.setattr("toolkit.file_memory._SMALL", 1000)
    checkpoint(tmp_path / "big.safetensors")
    index = ModelIndex([tmp_path])
    model = index.find("big")
    assert model.hash is None
    until = time.monotonic() + 20
    while model.hash is None and time.monotonic() < until:
        time.sleep(0.02)
    assert len(model.sha256) == 64
    assert model.sha256.startswith(model.hash)
    assert index.by_hash(model.hash) == model


@pytest.mark.parametrize("name", ["../dream", "sub/dream", "dream.safetensors/..", os.sep])
def test_a_path_that_is_no_model_is_a_sentence(layout, name):
    with pytest.raises(ModelError):
        ModelIndex([layout[0]]).find(name)
