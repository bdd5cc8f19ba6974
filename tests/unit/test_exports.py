"""Other files of a picture: made once, beside it, by whoever has the picture, and gone with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.plugin_makers import load
from toolkit.errors import PluginError, RequestError
from toolkit.exports import Exports, export_path
from toolkit.jobs import OWNER
from toolkit.request import GenerationRequest
from toolkit.settings import load_settings
from toolkit.studio import Studio

CALLS = (
    "from pathlib import Path\n"
    "def count(image, context):\n    file = context.data / 'count'\n"
    "    file.write_text(str(int(file.read_text() if file.exists() else 0) + 1))\n"
    "    return ('%dx%d' % image.size).encode()\n"
    "@hookimpl\ndef register_exporters():\n"
    "    yield Exporter('size', 'Size', 'txt', 'text/plain', count)\n"
    "    yield Exporter('bad', 'Bad', 'txt', 'text/plain', lambda i, c: 1 / 0)\n"
    "    yield Exporter('none', 'None', 'txt', 'text/plain', lambda i, c: None)\n"
)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    plugins = load(tmp_path, a=CALLS)
    with Studio(settings=load_settings(data=tmp_path / "data"), engine="sketch", plugins=plugins) as opened:
        yield opened


def test_register_exporters_make_a_file_once(studio: Studio) -> None:
    [made] = studio.generate(GenerationRequest("a red fish"))
    entry, exports = studio.gallery.get(made.id, OWNER), Exports(studio.plugins)
    path = exports.file(entry, "size")
    assert path == export_path(made.path, "size", "txt") == made.path.parent / "exports" / f"{made.path.stem}-size.txt"
    assert path.read_text() == f"{entry.width}x{entry.height}"
    assert exports.file(entry, "size") == path
    assert (studio.plugins.data / "count").read_text() == "1"


def test_what_fails_says_so_and_leaves_nothing(studio: Studio) -> None:
    [made] = studio.generate(GenerationRequest("a red fish"))
    entry, exports = studio.gallery.get(made.id, OWNER), Exports(studio.plugins)
    for name, said in {"bad": "ZeroDivisionError", "none": "made no file"}.items():
        with pytest.raises(PluginError, match=said):
            exports.file(entry, name)
    with pytest.raises(RequestError, match="“pdf”; there are size, bad, none"):
        exports.file(entry, "pdf")
    assert studio.plugins.get("a").errors == 2
    assert not (made.path.parent / "exports").exists()


def test_a_name_that_ends_no_file_is_refused(tmp_path: Path) -> None:
    source = "@hookimpl\ndef register_exporters():\n    yield Exporter('x', 'X', '../svg', 'a/b', len)"
    reason = load(tmp_path, a=source).get("a").reason
    assert "“suffix” of “x” is '../svg', but must be small letters and digits" in reason


def test_files_go_with_their_picture(studio: Studio) -> None:
    first, second = studio.generate(GenerationRequest("a red fish", count=2))
    exports = Exports(studio.plugins)
    paths = [exports.file(studio.gallery.get(made.id, OWNER), "size") for made in (first, second)]
    assert studio.gallery.delete(first.id, OWNER)
    assert studio.gallery.purge(older_than_s=0) == 1
    assert [path.exists() for path in paths] == [False, True]
    studio.gallery.sweep()
    assert studio.gallery.count(OWNER) == 1, "exported files are no pictures of the gallery"


def test_a_png_is_signed_like_the_picture(tmp_path: Path) -> None:
    source = (
        "import io\nfrom PIL import Image\nfrom PIL.PngImagePlugin import PngInfo\n"
        "def mirrored(image, context):\n    file = io.BytesIO()\n    image.transpose(0).save(file, 'PNG')\n"
        "    return file.getvalue()\n@hookimpl\ndef register_exporters():\n"
        "    yield Exporter('mirror', 'Mirror', 'png', 'image/png', mirrored)\n"
        "@hookimpl\ndef sign_file(path):\n    info = PngInfo()\n    info.add_text('by', 'me')\n"
        "    with Image.open(path) as image:\n        image.load()\n    image.save(path, pnginfo=info)\n"
    )
    plugins = load(tmp_path, a=source)
    with Studio(settings=load_settings(data=tmp_path / "data"), engine="sketch", plugins=plugins) as studio:
        [made] = studio.generate(GenerationRequest("a red fish"))
        path = Exports(plugins).file(studio.gallery.get(made.id, OWNER), "mirror")
    with Image.open(path) as image, Image.open(made.path) as picture:
        assert image.text == {"by": "me"}
        assert image.tobytes() == picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).tobytes()
