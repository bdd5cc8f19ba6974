"""Writes a new plugin that works, with a test that passes: the start of everybody's first one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from toolkit.errors import PluginError
from toolkit.plugins.manifest import NAME

KINDS = ("finish", "style", "control", "upscaler", "exporter", "option", "tab")
_PROVIDES = {
    "finish": '"postprocessors"', "style": '"styles"', "control": '"preprocessors", "controls"',
    "upscaler": '"upscalers"', "exporter": '"exporters"', "option": '"options", "requests"', "tab": '"tabs"',
}  # fmt: skip

_MANIFEST = """\
api = 1
title = "{title}"
version = "0.1.0"
description = "What it does, in one line."
author = ""
license = ""
provides = [{provides}]
"""

_FINISH = '''\
"""{title}: a finishing step."""

from toolkit.plugins.api import Number, Postprocessor, hookimpl


def run(image, options, context):
    from PIL import ImageEnhance  # heavy imports belong inside the function that needs them

    return ImageEnhance.Color(image).enhance(1 + options["amount"])


@hookimpl
def register_postprocessors():
    yield Postprocessor("{name}", "{title}", run, params=(Number("amount", "Amount", default=0.3),))
'''

_UPSCALER = '''\
"""{title}: enlarges a finished picture."""

from toolkit.plugins.api import Upscaler, hookimpl


def run(image, scale, options, context):
    from PIL import Image

    size = (round(image.width * scale), round(image.height * scale))
    return image.resize(size, Image.Resampling.BICUBIC)


@hookimpl
def register_upscalers():
    yield Upscaler("{name}", "{title}", run, scales=(2.0, 3.0, 4.0))
'''

_CONTROL = '''\
"""{title}: a way to steer, and what makes the picture that a ControlNet follows."""

from toolkit.plugins.api import Control, Number, Preprocessor, hookimpl


def run(image, options, context):
    from PIL import ImageFilter

    edges = image.convert("L").filter(ImageFilter.FIND_EDGES)
    return edges.point(lambda value: 255 if value > options["threshold"] else 0)


@hookimpl
def register_preprocessors():
    threshold = Number("threshold", "Threshold", default=40, maximum=255, whole=True)
    yield Preprocessor("{name}", "{title}", run, params=(threshold,))


@hookimpl
def register_controls():
    # For the ControlNets with one of these words in their name.
    yield Control("{name}", "{title}", words=("{name}",), preprocessor="{name}")
'''

_EXPORTER = '''\
"""{title}: another file of a saved picture, offered under it as “Save as”."""

from toolkit.plugins.api import Exporter, hookimpl


def run(image, context):
    import io

    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=90)
    return file.getvalue()


@hookimpl
def register_exporters():
    yield Exporter("{name}", "{title}", suffix="jpg", media_type="image/jpeg", run=run)
'''

_OPTION = '''\
"""{title}: a choice on the page, the flag --{flag}-mood of generate, and what becomes of it."""

from toolkit.plugins.api import Choice, hookimpl


@hookimpl
def register_options():
    yield Choice("mood", "Mood", options=("plain", "calm", "wild"))


@hookimpl
def prepare_request(request):
    mood = request.extras.get("{name}", {{}}).get("mood", "plain")
    words = f", {{mood}}"
    if mood == "plain" or request.prompt.endswith(words):  # a request may be prepared again
        return None
    return request.with_(prompt=request.prompt + words)
'''

_TAB = '''\
"""{title}: a page of its own."""

import gradio as gr

from toolkit.plugins.api import Tab, hookimpl


def build(studio):
    gr.Markdown("# {title}")
    gr.Number(len(studio.models.list()), label="Models", interactive=False)


@hookimpl
def register_tabs():
    yield Tab("{name}", "{title}", build)
'''

_STYLE = """\
# Words around a prompt; {{prompt}} is where the person's own words go.
[style.{style_id}]
name = "{title}"
group = "Mine"
description = "What it looks like, in one line."
prompt = "{{prompt}}, flat style, plain background"
negative = "gradient"
"""

_TESTS: Mapping[str, str] = {
    "finish": """\
def test_it_changes_the_picture(load_plugin, finish):
    load_plugin(FOLDER)
    before = Image.effect_mandelbrot((32, 32), (-2, -1.5, 1, 1.5), 20).convert("RGB")
    before.paste((200, 90, 40), (0, 0, 16, 16))
    after = finish("{name}", before, amount=0.9)
    assert after.size == before.size
    assert after.tobytes() != before.tobytes()
""",
    "upscaler": """\
def test_it_enlarges(load_plugin, finish):
    load_plugin(FOLDER)
    assert finish("{name}", Image.new("RGB", (32, 24), "red"), scale=2).size == (64, 48)
""",
    "control": """\
def test_it_makes_the_picture_to_follow(load_plugin, preprocess):
    load_plugin(FOLDER)
    image = Image.new("RGB", (32, 32), "black")
    image.paste("white", (8, 8, 24, 24))
    made = preprocess("{name}", image, threshold=90)
    assert made.size == image.size
    assert made.getpixel((8, 16)) == (255, 255, 255)
    assert made.getpixel((16, 16)) == (0, 0, 0)
""",
    "exporter": """\
def test_it_makes_a_file(load_plugin, export):
    load_plugin(FOLDER)
    assert export("{name}", Image.new("RGB", (32, 24), "red")).startswith(b"\\xff\\xd8")
""",
    "option": """\
def test_what_is_chosen_is_in_the_prompt(load_plugin, studio_with):
    with studio_with(FOLDER) as studio:
        plain = studio.prepare(GenerationRequest("red star"))
        calm = studio.prepare(GenerationRequest("red star", extras={{"{name}": {{"mood": "calm"}}}}))
        assert (plain.prompt, calm.prompt) == ("red star", "red star, calm")
        assert studio.prepare(calm).prompt == calm.prompt
""",
    "style": """\
def test_the_style_is_there(load_plugin):
    plugins = load_plugin(FOLDER)
    [style] = plugins.registry.styles()
    assert style.around("red star").startswith("red star, ")
""",
    "tab": """\
def test_the_tab_is_built(load_plugin, studio_with):
    import gradio as gr

    plugins = load_plugin(FOLDER)
    [tab] = plugins.registry.load_tabs(plugins.get("{name}"))
    with studio_with(FOLDER) as studio, gr.Blocks():
        tab.build(studio)
""",
}
_SOURCES = {
    "finish": _FINISH, "upscaler": _UPSCALER, "control": _CONTROL, "exporter": _EXPORTER, "option": _OPTION,
}  # fmt: skip
_TEST_HEAD = '"""Tests of {title}, with the fixtures of toolkit.testing."""\n\nfrom pathlib import Path\n\n'
_TEST_NEEDS = {
    "finish": "from PIL import Image\n\n", "upscaler": "from PIL import Image\n\n",
    "control": "from PIL import Image\n\n", "exporter": "from PIL import Image\n\n",
    "option": "from toolkit.request import GenerationRequest\n\n",
}  # fmt: skip
_README = "# {title}\n\nWhat it does, what its options mean, and a picture of the result.\n"


def write_plugin(place: Path, name: str, kind: str = "finish") -> list[Path]:
    """Write the plugin `name` into the new folder `place/name`; returns its files."""
    if not NAME.fullmatch(name):
        raise PluginError(f"“{name}” can't be a plugin's name: use small letters, digits and _, say film_grain.")
    if kind not in KINDS:
        raise PluginError(f"There is no kind “{kind}”; there are {', '.join(KINDS)}.")
    folder = place / name
    if folder.exists():
        raise PluginError(f"{folder} is there already; choose another name.")
    words = {
        "name": name, "title": name.replace("_", " ").capitalize(), "provides": _PROVIDES[kind],
        "style_id": name.replace("_", "-"), "flag": name.replace("_", "-"),
    }  # fmt: skip
    body = f"FOLDER = Path(__file__).resolve().parent.parent\n\n\n{_TESTS[kind]}"
    files = {"plugin.toml": _MANIFEST, "README.md": _README}
    if kind == "style":
        files[f"styles/{words['style_id']}.toml"] = _STYLE
    elif kind == "tab":
        files["__init__.py"] = '"""{title}."""\n'
        files["ui.py"] = _TAB
    else:
        files["__init__.py"] = _SOURCES[kind]
    files[f"tests/test_{name}.py"] = _TEST_HEAD + _TEST_NEEDS.get(kind, "") + body
    written = []
    try:
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text.format(**words), "utf-8", newline="\n")
            written.append(target)
    except OSError as error:
        raise PluginError(f"{folder} can't be written ({error.strerror or error}).")
    return written
