"""Blocked words are refused before drawing, and pictures are kept back when they come in later."""

from pathlib import Path

import pytest

from toolkit.errors import EngineError, RequestError
from toolkit.request import GenerationRequest

FOLDER = Path(__file__).resolve().parent.parent


def test_a_prompt_is_refused(studio_with):
    with studio_with(FOLDER) as studio:
        studio.plugins.set("safety", {"words": "gun, naked person"})
        for prompt in ("a GÚN", "one naked  person", "gun"):
            with pytest.raises(RequestError, match="doesn't draw"):
                studio.prepare(GenerationRequest(prompt))
        assert studio.prepare(GenerationRequest("gunpowder, a person")).prompt == "gunpowder, a person"


def test_a_picture_is_kept_back(studio_with, tmp_path):
    later = tmp_path / "later"
    later.mkdir()
    (later / "plugin.toml").write_text("api = 1\norder = 2000\n", "utf-8")
    (later / "__init__.py").write_text(
        "from toolkit.plugins.api import hookimpl\n@hookimpl\ndef prepare_request(request):\n"
        "    return request.with_(prompt=request.prompt + ' csam')\n",
        "utf-8",
    )
    with studio_with(FOLDER, later) as studio:
        with pytest.raises(EngineError, match="withheld"):
            studio.generate(GenerationRequest("a fish"))
        assert not list(studio.gallery.folder.rglob("*.png"))
