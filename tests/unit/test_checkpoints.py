"""A file of weights is told by its header: its kind, its family, its width, what its maker says; and refused well."""

from __future__ import annotations

import json
import os
import pickle
import struct
import time
from pathlib import Path

import pytest

from tests.engine.checkpoint_makers import SD15, TINY, Width, shapes_of
from toolkit.checkpoints import rescaled_betas
from toolkit.errors import ModelError
from toolkit.families import FAMILIES, FOLDER
from toolkit.kinds import kind_of
from toolkit.licences import plain_licence
from toolkit.models import ModelIndex
from toolkit.weights import header_of

FULL = {
    "sd1": SD15,
    "sd2": Width((320, 640, 1280, 1280), (1, 1, 1, 0), 1, (128, 256, 512, 512), open_clip=1024),
    "sdxl": Width((320, 640, 1280), (0, 2, 10), 10, (128, 256, 512, 512), clip=768, open_clip=1280, open_layers=32,
                  added=6),
    "sdxl-refiner": Width((384, 768, 1536, 1536), (0, 4, 4, 0), 4, (128, 256, 512, 512), open_clip=1280,
                          open_layers=32, added=5),
}  # fmt: skip
FULL |= {f"{name}-inpaint": Width(**{**vars(FULL[name]), "channels": 9}) for name in ("sd1", "sd2", "sdxl")}


def write(path: Path, shapes, metadata: dict[str, str] | None = None, dtype: str = "F16") -> Path:
    """A file with these tensors, none of whose bytes are on the disk: it is as long as they say, and a hole."""
    header, end = {"__metadata__": metadata} if metadata else {}, 0
    for name, shape in shapes:
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    plain = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(plain)) + plain)
        file.truncate(8 + len(plain) + end)
    return path


def checkpoint(path: Path, family: str = "sd1", metadata=None, *, without=(), more=()) -> Path:
    kept = [(name, shape) for name, shape in shapes_of(family, TINY[family]) if not name.startswith(tuple(without))]
    return write(path, [*kept, *((name, (0,)) for name in more)], metadata)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_full_size_checkpoints_are_known_by_their_headers_in_under_50_ms(tmp_path, name):
    path = write(tmp_path / "big.safetensors", shapes_of(name, FULL[name]))
    took = []
    for _ in range(3):
        path.touch()
        began = time.process_time()
        model = ModelIndex([tmp_path]).find("big")
        took.append(time.process_time() - began)
    assert min(took) < 0.05
    assert model.path == path
    assert model.family == name
    assert model.bytes > 1e9
    assert model.card["native_size"] == list(FAMILIES[name].native_size)
    assert model.scheduler["prediction_type"] == FAMILIES[name].prediction
    for component in model.row.components:
        shipped = json.loads((FOLDER / model.row.folder / component / "config.json").read_text())
        if component == "unet":
            shipped["in_channels"] = FAMILIES[name].channels
        if component == "text_encoder":
            shipped["projection_dim"] = model.config(component)["projection_dim"]  # it has no projection
        assert model.config(component) == shipped


def test_how_many_numbers_stable_diffusion_15_has(tmp_path):
    write(tmp_path / "big.safetensors", shapes_of("sd1", SD15))
    numbers = 859_520_964 + 83_653_863 + 123_060_557
    assert ModelIndex([tmp_path]).find("big").elements() == pytest.approx(numbers, abs=77)


@pytest.mark.parametrize(
    "beside, metadata, more, expected",
    [
        ({}, {}, (), "v_prediction"),
        ({"m.yaml": 'model:\n  params:\n    parameterization: "v"\n'}, {}, (), "v_prediction"),
        ({"m.yaml": "model:\n  params:\n    base_learning_rate: 1.0e-04\n"}, {}, (), "epsilon"),
        ({}, {"modelspec.prediction_type": "epsilon"}, (), "epsilon"),
        ({"m.json": '{"prediction": "epsilon"}'}, {"modelspec.prediction_type": "v"}, (), "epsilon"),
        ({}, {"modelspec.prediction_type": "epsilon"}, ("v_pred",), "v_prediction"),
    ],
)
def test_what_a_stable_diffusion_2_file_predicts_is_taken_from_whoever_says_it(
    tmp_path, beside, metadata, more, expected
):
    checkpoint(tmp_path / "m.safetensors", "sd2", metadata, more=more)
    for name, text in beside.items():
        (tmp_path / name).write_text(text)
    assert ModelIndex([tmp_path]).find("m").scheduler["prediction_type"] == expected


@pytest.mark.parametrize("name", ["v2-1_512-ema-pruned", "sd_turbo"])
def test_the_512_pixel_files_of_stable_diffusion_2_predict_noise(tmp_path, name):
    checkpoint(tmp_path / f"{name}.safetensors", "sd2")
    [model] = ModelIndex([tmp_path]).list()
    assert model.scheduler["prediction_type"] == "epsilon"
    assert model.card["native_size"] == [512, 512]


def test_marks_of_velocity_and_of_no_last_signal(tmp_path):
    checkpoint(tmp_path / "noob.safetensors", "sdxl", more=("v_pred", "ztsnr"))
    model = ModelIndex([tmp_path]).find("noob")
    assert model.scheduler["prediction_type"] == "v_prediction"
    assert model.card["defaults"]["schedule"] == "normal"
    product = 1.0
    for beta in model.scheduler["trained_betas"]:
        assert 0 < beta < 1
        product *= 1 - beta
    assert product == pytest.approx(1e-4)
    assert model.scheduler["trained_betas"] == rescaled_betas(0.00085, 0.012, 1000)


def test_a_checkpoint_is_described_by_its_header_and_what_stands_beside_it(tmp_path):
    said = {"modelspec.title": "Ink", "modelspec.license": "CreativeML Open RAIL-M", "modelspec.author": "Someone"}
    path = checkpoint(tmp_path / "ink_v2.safetensors", "sd1", {**said, "modelspec.resolution": "640x448"})
    index = ModelIndex([tmp_path])
    (model,) = index.list()
    assert (model.id, model.title, model.licence) == ("ink_v2", "Ink", "CreativeML Open RAIL-M")
    assert "not for the harmful uses" in model.plain_licence
    assert model.card["native_size"] == [640, 448]
    assert model.preview is None
    notes = {"title": "Ink and wash", "defaults": {"guidance": 3.5}, "native_size": [512, 512], "notes": "ink"}
    path.with_suffix(".json").write_text(json.dumps(notes))
    path.with_suffix(".preview.png").write_bytes(b"picture")
    (again,) = index.list()
    assert (again.title, again.card["native_size"]) == ("Ink and wash", [512, 512])
    assert again.card["defaults"] == {"sampler": "dpmpp_2m", "steps": 20, "guidance": 3.5}
    assert again.preview == tmp_path / "ink_v2.preview.png"
    path.with_suffix(".json").write_text('{"native_size": [0, 1]}')
    assert index.list() == []
    assert "ink_v2.json has native_size [0, 1]" in index.problems()[0]


PICKLE = pickle.dumps({"state_dict": {}})
DAMAGED = {
    "empty.safetensors": (b"", "only 0 bytes"),
    "cut.safetensors": (None, "should have"),
    "zeros.safetensors": (bytes(4096), "not a safetensors header"),
    "huge.safetensors": (struct.pack("<Q", 2**40) + b"{}", "header would be 1099511627776 bytes"),
    "renamed.safetensors": (
        PICKLE,
        "is a pickle, which can carry code, and was only renamed. Get the model as .safetensors",
    ),
    "zipped.safetensors": (b"PK\x03\x04" + bytes(100), "is a pickle"),
    "pointer.safetensors": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "page.safetensors": (b"<!DOCTYPE html><html>Log in</html>", "is a web page that was saved in the model's place"),
    "answer.safetensors": (b"<html><body>Not found</body></html>", "Download it again"),
    "old.ckpt": (PICKLE, "can carry code, so it is never opened: get the model as .safetensors"),
}


@pytest.mark.parametrize("name", list(DAMAGED))
def test_a_file_that_cannot_be_used_is_named_with_its_remedy_and_others_stay(tmp_path, name):
    content, reason = DAMAGED[name]
    checkpoint(tmp_path / "good.safetensors")
    if content is None:
        content = checkpoint(tmp_path / name).read_bytes()[:-1000]
    (tmp_path / name).write_bytes(content)
    index = ModelIndex([tmp_path])
    for look in (Path(name).stem, str(tmp_path / name)):
        with pytest.raises(ModelError) as caught:
            index.find(look)
        assert name in str(caught.value)
        assert reason in str(caught.value)
        assert str(caught.value).count(". ") <= 1
    assert [model.id for model in index.list()] == ["good"]
    assert [name in problem for problem in index.problems()] == [True]


@pytest.mark.parametrize(
    "names, sentence",
    [
        ({"model.diffusion_model.double_blocks.0.img_attn.qkv.weight": (8, 8)}, "is made for Flux"),
        ({"model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight": (8, 8)}, "is made for Stable Diffusion 3"),
        ({"something.else": (1, 2, 3, 4), "more": (2, 3, 4)}, "is no checkpoint"),
    ],
)
def test_a_family_that_is_not_known_is_said(tmp_path, names, sentence):
    write(tmp_path / "other.safetensors", names.items())
    with pytest.raises(ModelError, match=rf"other\.safetensors {sentence}"):
        ModelIndex([]).find(str(tmp_path / "other.safetensors"))


@pytest.mark.parametrize(
    "without, sentence",
    [
        (("cond_stage_model.",), "holds a denoiser without its text encoder"),
        (("first_stage_model.",), r"holds no autoencoder: put its autoencoder beside it as part\.vae\.safetensors"),
        (("model.diffusion_model.",), r"is no checkpoint"),
    ],
)
def test_a_part_of_a_checkpoint_is_not_taken_for_one(tmp_path, without, sentence):
    checkpoint(tmp_path / "part.safetensors", without=without)
    with pytest.raises(ModelError, match=sentence):
        ModelIndex([]).find(str(tmp_path / "part.safetensors"))


def test_a_denoiser_that_takes_other_channels_is_refused(tmp_path):
    write(tmp_path / "pix.safetensors", shapes_of("sd1", Width(**{**vars(TINY["sd1"]), "channels": 8})))
    with pytest.raises(ModelError, match="takes 8 channels; this studio draws with models that take 4 or 9"):
        ModelIndex([tmp_path]).find("pix")


@pytest.mark.skipif(os.name == "nt", reason="rights are no numbers there")
def test_a_folder_that_may_not_be_read_is_said_and_others_stay(tmp_path):
    checkpoint(tmp_path / "good.safetensors")
    closed = tmp_path / "closed"
    checkpoint(closed / "a.safetensors")
    closed.chmod(0)
    root = os.geteuid() == 0
    os.chmod(tmp_path, 0o755)
    for folder in tmp_path.parents:
        if root and folder.stat().st_uid == 0 and folder.name.startswith(("pytest", "popen")):
            folder.chmod(0o755)
    if root:  # root reads everything
        os.seteuid(65534)
    try:
        index = ModelIndex([tmp_path])
        assert [model.id for model in index.list()] == ["good"]
        (problem,) = index.problems()
    finally:
        if root:
            os.seteuid(0)
        closed.chmod(0o755)
    assert str(closed) in problem
    assert "can't be read (permission denied): give yourself the right to read it" in problem


KINDS = {
    "lora": [("lora_unet_down_blocks_0.lora_down.weight", (4, 8)), ("lora_unet_down_blocks_0.alpha", ())],
    "vae": [("decoder.conv_in.weight", (64, 4, 3, 3)), ("encoder.conv_in.weight", (32, 3, 3, 3))],
    "controlnet": [("controlnet_cond_embedding.conv_in.weight", (16, 3, 3, 3))],
    "embedding": [("emb_params", (4, 768))],
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_other_kinds_are_told_by_their_tensors(tmp_path, kind):
    path = write(tmp_path / "x.safetensors", KINDS[kind])
    assert kind_of(header_of(path)) == kind
    index = ModelIndex([tmp_path])
    assert [file.name for file in index.files(kind)] == ["x"]
    assert [file.name for other in KINDS if other != kind for file in index.files(other)] == []
    assert (index.list(), index.problems()) == ([], [])


def test_peft_and_lycoris_files_are_loras_too(tmp_path):
    for number, name in enumerate(("a.lora_A.weight", "b.hada_w1_a", "c.lokr_w1", "unet.lora.up.weight")):
        assert kind_of(header_of(write(tmp_path / f"{number}.safetensors", [(name, (4, 8)), ("o", (1,))]))) == "lora"


@pytest.mark.parametrize(
    "name, words",
    [
        ("CreativeML Open RAIL-M", "harmful"),
        ("openrail++", "harmful"),
        ("Apache-2.0", "use as you like"),
        ("MIT", "use as you like"),
        ("https://creativecommons.org/licenses/by-nc/4.0/", "not for commercial use"),
        ("CC-BY-4.0", "name the author"),
        ("permitted", "not known"),
        ("", "not known"),
    ],
)
def test_licences_are_told_in_plain_words_or_not_at_all(name, words):
    assert words in plain_licence(name)


def test_an_autoencoder_of_the_folder_of_vaes_is_taken_by_its_name_or_the_cards(tmp_path):
    models, vaes = tmp_path / "Stable-diffusion", tmp_path / "VAE"
    for name in ("ink", "oil"):
        checkpoint(models / f"{name}.safetensors")
    index = ModelIndex([tmp_path])
    assert index.find("ink").weights("vae") == models / "ink.safetensors"
    shapes = [(name, shape) for name, shape in shapes_of("sd1", TINY["sd1"]) if name.startswith("first_stage_model.")]
    plain = [(name.removeprefix("first_stage_model."), shape) for name, shape in shapes]
    write(vaes / "ink.vae.safetensors", plain)
    write(vaes / "bright.safetensors", plain)
    by_name = {model.id: model.weights("vae").name for model in index.list()}
    assert by_name == {"ink": "ink.vae.safetensors", "oil": "oil.safetensors"}
    (models / "oil.json").write_text(json.dumps({"vae": "bright"}))
    assert {model.id: model.weights("vae").name for model in index.list()}["oil"] == "bright.safetensors"
    assert ModelIndex([tmp_path]).find("oil").weights("vae") == vaes / "bright.safetensors"
    (models / "oil.json").write_text(json.dumps({"vae": "gone"}))
    assert [model.id for model in index.list()] == ["ink"]
    [problem] = index.problems()
    assert "Stable-diffusion/oil.json names the autoencoder “gone”" in problem and "into models/vae" in problem
