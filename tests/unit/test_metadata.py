"""Settings in files: ours are read by everybody, everybody's are read by us, and nothing hostile gets through."""

from __future__ import annotations

import io
import json
import random
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sd_parsers import ParserManager

import toolkit
from toolkit.errors import MetadataError
from toolkit.geometry import Size
from toolkit.infotext import infotext
from toolkit.metadata import exif, png_info, read_settings
from toolkit.request import GenerationRequest, Sampling, Written

ROOT = Path(__file__).resolve().parents[2]
REQUEST = GenerationRequest(
    prompt="a red fish", negative="blurry, dull", size=Size(256, 384), seed=2**32 - 1,
    sampling=Sampling("dpmpp_2m", "karras", 20, 7.25), written=Written("fish", "", ("flat", "night")),
)  # fmt: skip
FACTS = {"dtype": "bfloat16", "batch": 3, "device": "cpu", "engine": "inline", "model_hash": "0123456789"}


def png(info: PngInfo | None = None, size: tuple[int, int] = (8, 8)) -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", size, "red").save(packed, "PNG", pnginfo=info)
    return packed.getvalue()


def png_with(**texts: str) -> bytes:
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name.replace("_dash_", "-"), text)
    return png(info)


def compressed(form: str, comment: bytes) -> bytes:
    tags, packed = Image.Exif(), io.BytesIO()
    tags.get_ifd(0x8769)[0x9286] = comment
    Image.new("RGB", (8, 8), "red").save(packed, form, exif=tags.tobytes())
    return packed.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def raw_png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


PROMPTS = [
    "a red fish", "", "a sign\nNegative prompt: none", "a, \"b\", 'c': d\\", "🦊 日本語", "\n padded \n", "word " * 800,
    "Steps: 1, Sampler: Euler, Seed: 2, Model: m", "a\ud800b", "</script>",
]  # fmt: skip


@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_field_comes_back_from_a_png(prompt: str, data: Path) -> None:
    request = REQUEST.with_(prompt=prompt, negative=prompt[::-1], model="my, model", styles=("flat",))
    (data / "picture.png").write_bytes(png(png_info(request, FACTS)))
    assert read_settings(data / "picture.png") == (request, FACTS, [])


def test_pillow_and_sd_parsers_read_what_is_written(data: Path) -> None:
    path = data / "picture.png"
    path.write_bytes(png(png_info(REQUEST, FACTS)))
    with Image.open(path) as image:
        assert image.text["parameters"] == infotext(REQUEST, FACTS)
        own = json.loads(image.text["limner"])
    assert own == {"version": toolkit.__version__, "request": REQUEST.to_dict(), "facts": FACTS}
    found = ParserManager().parse(path)
    assert (found.full_prompt, found.full_negative_prompt) == ("a red fish", "blurry, dull")
    (sampler,) = found.samplers
    assert sampler.name == "DPM++ 2M" and (sampler.model.name, sampler.model.hash) == ("limner-starter", "0123456789")
    assert sampler.parameters == {"scheduler": "Karras", "cfg_scale": "7.25", "seed": "4294967295", "steps": "20"}
    assert found.metadata == {"Size": "256x384", "Version": f"Limner {toolkit.__version__}"}


def test_words_beyond_latin_are_written_as_utf8() -> None:
    content = png(png_info(REQUEST.with_(prompt="狐 🦊"), FACTS))
    assert content.count(b"iTXt") == 2 and content.count("狐 🦊".encode()) == 2
    assert png(png_info(REQUEST.with_(prompt="füchse"), FACTS)).count(b"tEXt") == 2


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
@pytest.mark.parametrize("prompt", ["a red fish", "狐 🦊\nNegative prompt: x", "word " * 800])
def test_jpeg_and_webp_carry_the_text(form: str, prompt: str, data: Path) -> None:
    request, path = REQUEST.with_(prompt=prompt, written=None), data / "picture"
    Image.new("RGB", (8, 8)).save(path, form, exif=exif(request, FACTS))
    facts = {"generator": "Limner", "version": toolkit.__version__, "model_hash": "0123456789"}
    assert read_settings(path) == (request, facts, [])
    if "Negative prompt:" not in prompt:
        found = ParserManager().parse(path)
        assert found.full_prompt == prompt.strip() and found.samplers[0].name == "DPM++ 2M"


A1111 = (
    "a cat 🐈\nNegative prompt: dog\n"
    "Steps: 9, Sampler: Euler Karras, CFG scale: 7, Seed: 1, Size: 64x64, Model: m"
)


@pytest.mark.parametrize(
    "content",
    [
        png_with(parameters=A1111),
        *(
            compressed(form, mark + A1111.encode(code))
            for form in ("JPEG", "WEBP")
            for mark, code in (
                (b"UNICODE\0", "utf-16-be"), (b"UNICODE\0", "utf-16-le"), (b"UNICODE\0", "utf-16"),
                (b"ASCII\0\0\0", "utf-8"), (b"\0" * 8, "utf-8"), (b"", "utf-8"),
            )
        ),
    ],
)  # fmt: skip
def test_reads_pictures_of_a1111_in_every_container(content: bytes) -> None:
    request, facts, notes = read_settings(content)
    assert request == GenerationRequest(
        "a cat 🐈", "dog", "m", Size(64, 64), Sampling("euler", "karras", 9, 7.0), seed=1
    )
    assert facts == {"generator": "A1111"} and notes == []


def test_our_own_chunk_wins_over_the_text() -> None:
    info = png_info(REQUEST, FACTS)
    edited = PngInfo()
    edited.add_text("parameters", A1111)
    edited.add_text("limner", json.dumps({"version": "0.1", "request": REQUEST.to_dict(), "facts": FACTS}))
    assert read_settings(png(info))[0] == read_settings(png(edited))[0] == REQUEST


@pytest.mark.parametrize(
    "own",
    [
        "", "{", "null", "[]", "1" * 5000, "[" * 100_000, '{"request": 5}', '{"request": {"flavour": "mint"}}',
        '{"request": {"prompt": 5}}', '{"request": {"size": [99999999, 1]}}', '{"request": {"size": "512x512"}}',
        '{"request": {"sampling": {"guidance": NaN}}}', '{"request": {"sampling": {"guidance": 1e999}}}',
        '{"request": {"sampling": {"steps": 1000000}}}', '{"request": {"count": 1000000000}}',
        '{"request": {"seed": -5}}', '{"request": {}, "facts": 5}',
        json.dumps({"request": {"styles": ["flat"] * 1000}}), '{"request": {"sampling": 5}}',
        '{"request": {"written": []}}', '{"request": {"styles": [[]]}}',
    ],
)  # fmt: skip
def test_a_damaged_chunk_gives_way_to_the_text_and_says_so(own: str) -> None:
    request, _, notes = read_settings(png_with(limner=own, parameters="a cat\nSteps: 9, Sampler: DDIM, Model: m"))
    assert request == GenerationRequest("a cat", model="m", sampling=Sampling("ddim", steps=9))
    assert len(notes) == 1 and notes[0].endswith("The settings come from the A1111 text beside it.")
    with pytest.raises(MetadataError) as refused:
        read_settings(png_with(limner=own))
    assert 20 < len(str(refused.value)) < 250 and "\n" not in str(refused.value)


COMFY = {
    "3": {"class_type": "KSampler", "inputs": {
        "seed": 5, "steps": 20, "cfg": 8.0, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1,
        "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd/v1-5.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "dog", "clip": ["4", 1]}},
}  # fmt: skip
LINKS = {"links": [
    [1, 4, 0, 3, 0, "MODEL"], [2, 6, 0, 3, 1, "CONDITIONING"], [3, 7, 0, 3, 2, "CONDITIONING"],
    [4, 5, 0, 3, 3, "LATENT"], [5, 4, 1, 6, 0, "CLIP"], [6, 4, 1, 7, 0, "CLIP"],
]}  # fmt: skip
INVOKE = {
    "positive_prompt": "a cat", "negative_prompt": "dog", "width": 512, "height": 768, "seed": 5, "cfg_scale": 8.0,
    "steps": 20, "scheduler": "dpmpp_2m_k", "model": {"model_name": "v1-5", "base_model": "sd-1"},
}  # fmt: skip
OLD_INVOKE = {
    "model_weights": "v1-5", "image": {
        "prompt": [{"prompt": "a cat [dog]", "weight": 1.0}], "steps": 20, "cfg_scale": 8.0, "width": 512,
        "height": 768, "seed": 5, "sampler": "k_dpmpp_2m"},
}  # fmt: skip
FOOOCUS = {
    "prompt": "a cat", "negative_prompt": "dog", "steps": 20, "guidance_scale": 8.0, "resolution": "(512, 768)",
    "seed": "5", "sampler": "dpmpp_2m", "scheduler": "karras", "base_model": "v1-5", "base_model_hash": "0123456789",
    "sharpness": 2.0, "version": "Fooocus v2.5.5",
}  # fmt: skip
NOVEL = {"uc": "dog", "steps": 20, "width": 512, "height": 768, "scale": 8.0, "seed": 5, "sampler": "k_dpmpp_2m"}
SWARM = {"sui_image_params": {
    "prompt": "a cat", "negativeprompt": "dog", "model": "v1-5.safetensors", "seed": 5, "steps": 20, "cfgscale": 8.0,
    "width": 512, "height": 768, "sampler": "dpmpp_2m", "scheduler": "karras"}}  # fmt: skip


@pytest.mark.parametrize(
    ("generator", "texts", "schedule"),
    [
        ("ComfyUI", {"prompt": COMFY, "workflow": LINKS}, "karras"),
        ("InvokeAI", {"invokeai_metadata": INVOKE}, "karras"),
        ("InvokeAI", {"sd_dash_metadata": OLD_INVOKE}, "auto"),
        ("InvokeAI", {"Dream": '"a cat [dog]" -s 20 -S 5 -W 512 -H 768 -C 8.0 -A k_dpmpp_2m'}, "auto"),
        ("Fooocus", {"parameters": FOOOCUS}, "karras"),
        ("NovelAI", {"Source": "v1-5 ABCD1234", "Description": "a cat", "Comment": NOVEL}, "auto"),
        ("SwarmUI", {"parameters": SWARM}, "karras"),
    ],
    ids=["comfy", "invoke", "invoke 2", "invoke 1", "fooocus", "novelai", "swarm"],
)
def test_reads_pictures_of_other_studios(generator: str, texts: dict[str, Any], schedule: str) -> None:
    content = png_with(**{k: v if isinstance(v, str) else json.dumps(v) for k, v in texts.items()})
    request, facts, notes = read_settings(content)
    model = request.model if "Dream" in texts else "v1-5"
    assert request == GenerationRequest(
        "a cat", "dog", model, Size(512, 768), Sampling("dpmpp_2m", schedule, 20, 8.0), seed=5
    )
    assert facts["generator"] == generator
    assert notes == (["The picture doesn't say which model drew it."] if "Dream" in texts else [])


NESTED = "[" * 100_000
MANY = {str(number): {"class_type": "KSampler", "inputs": {"sampler_name": "x", "steps": 1, "cfg": 1}}
        for number in range(1000)}  # fmt: skip


@pytest.mark.parametrize(
    "texts",
    [
        {"prompt": "5", "workflow": "5"}, {"prompt": "{}", "workflow": "{}"}, {"prompt": NESTED, "workflow": "{}"},
        {"prompt": '{"1": null, "2": {"inputs": 5}}', "workflow": '{"links": []}'},
        {"prompt": json.dumps(COMFY), "workflow": '{"links": [[1]]}'}, {"prompt": json.dumps(MANY), "workflow": "{}"},
        {"prompt": json.dumps(COMFY).replace("512", "99999999"), "workflow": json.dumps(LINKS)},
        {"prompt": "x" * 4_000_001, "workflow": "{}"},
        {"invokeai_metadata": "5"}, {"invokeai_metadata": '{"scheduler": {"a": 1}, "model": 5}'},
        {"sd_dash_metadata": '{"image": {"sampler": 5, "prompt": 7}}'}, {"sd_dash_metadata": NESTED},
        {"Dream": '"' * 9000 + "\n"}, {"Dream": '"a"' + " " * 9000}, {"Dream": '"a" ' * 3000},
        {"parameters": '{"base_model": 1'}, {"parameters": "{" * 100_000}, {"parameters": '{"sui_image_params": 5}'},
        {"parameters": json.dumps(FOOOCUS).replace('"seed": "5"', '"seed": -9')},
        {"Comment": '{"sampler": 1}', "Description": "a", "Source": " " * 201},
        {"Comment": "5", "Description": "a", "Source": "b"},
    ],
)  # fmt: skip
def test_damaged_settings_of_other_studios_are_one_sentence(texts: dict[str, str]) -> None:
    content = png_with(**texts)
    started = time.perf_counter()
    with pytest.raises(MetadataError) as refused:
        read_settings(content)
    assert time.perf_counter() - started < 10
    assert 20 < len(str(refused.value)) < 250 and "\n" not in str(refused.value)


def test_a_sampler_that_is_not_here_is_said() -> None:
    graph = json.dumps(COMFY).replace('"dpmpp_2m"', '"res_multistep"').replace('"karras"', '"kl_optimal"')
    request, _, notes = read_settings(png_with(prompt=graph, workflow=json.dumps(LINKS)))
    assert request.sampling == Sampling("auto", "auto", 20, 8.0)
    assert ["res_multistep" in notes[0], "kl_optimal" in notes[1]] == [True, True]


BOMB = b"parameters\0\0" + zlib.compress(bytes(50_000_000), 9)
WHOLE = png(png_info(REQUEST, FACTS))
VP8X = b"VP8X" + struct.pack("<I", 10) + b"\x08\0\0\0" + (16382).to_bytes(3, "little") * 2
HOSTILE = {
    "empty": (b"", "not a picture"),
    "text": (b"hello, I am a picture\n" * 100, "not a picture"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "not a picture"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not a picture"),
    "gif": (b"GIF89a\x01\0\x01\0\0\0\0;", "not a picture"),
    "no settings": (png(), "carries no settings"),
    "no settings in a jpeg": (compressed("JPEG", b"UNICODE\0"), "carries no settings"),
    "compressed bomb": (raw_png(8, 8, chunk(b"zTXt", BOMB)), "damaged, or holds more text"),
    "many texts": (raw_png(8, 8, *[chunk(b"tEXt", b"k%d\0" % n + b"x" * 900_000) for n in range(10)]), "more text"),
    "pixel bomb": (raw_png(14_000, 14_000), "claims to have .*pixels; Limner reads at most 8192 × 8192"),
    "largest header": (raw_png(2**31 - 1, 2**31 - 1), "claims to have"),
    "no width": (raw_png(0, 8), "damaged|not a picture|no settings"),
    "webp bomb": (b"RIFF" + struct.pack("<I", 22) + b"WEBP" + VP8X, "damaged|not a picture"),
    "cut in the header": (WHOLE[:20], "damaged|not a picture"),
    "cut in the text": (WHOLE[:100], "damaged|not a picture|no settings"),
    "20,000 sizes": (png_with(parameters="a\nSteps: 2, Model: m, " + "Size: 99999999x1, " * 20_000), "99999999"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_one_sentence_in_no_time(name: str, data: Path) -> None:
    content, sentence = HOSTILE[name]
    (data / "file.png").write_bytes(content)
    for source in (content, data / "file.png"):
        started = time.perf_counter()
        with pytest.raises(MetadataError, match=sentence) as refused:
            read_settings(source)
        assert time.perf_counter() - started < 5
        assert len(str(refused.value)) < 250 and "\n" not in str(refused.value)


def test_missing_files_and_folders_are_one_sentence(data: Path) -> None:
    with pytest.raises(MetadataError, match=r"There is no file .*none\.png"):
        read_settings(data / "none.png")
    with pytest.raises(MetadataError):
        read_settings(data)


MEASURE = """
import resource, sys
from pathlib import Path
import sd_parsers.parsers
from toolkit.errors import MetadataError
from toolkit.metadata import read_settings
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 1024 * 1024)
read_settings(Path(sys.argv[1]))
before = peak()
for name in sys.argv[2:]:
    try:
        read_settings(Path(name))
        sys.exit(name + " was read")
    except MetadataError:
        pass
print(peak() - before)
"""


def test_bombs_take_little_memory(data: Path) -> None:
    pytest.importorskip("resource")
    paths = []
    (data / "whole.png").write_bytes(WHOLE)
    for name in ("compressed bomb", "pixel bomb", "largest header", "webp bomb"):
        paths.append(data / name.replace(" ", "-"))
        paths[-1].write_bytes(HOSTILE[name][0])
    command = [sys.executable, "-W", "ignore", "-c", MEASURE, str(data / "whole.png"), *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 20, "megabytes"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Truncated File Read")
def test_damage_anywhere_is_read_or_refused_but_never_a_crash() -> None:
    chance = random.Random(3)
    wholes = [WHOLE, compressed("JPEG", b"UNICODE\0" + A1111.encode("utf-16-be")),
              compressed("WEBP", b"UNICODE\0" + A1111.encode("utf-16-le")),
              png_with(prompt=json.dumps(COMFY), workflow=json.dumps(LINKS))]  # fmt: skip
    refused = 0
    for turn in range(1200):
        content = bytearray(wholes[turn % len(wholes)])
        for _ in range(chance.randrange(1, 6)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        if chance.random() < 0.3:
            del content[chance.randrange(len(content)) :]
        try:
            read_settings(bytes(content))
        except MetadataError:
            refused += 1
    assert 100 < refused < 1200
