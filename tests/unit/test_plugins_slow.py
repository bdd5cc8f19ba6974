"""What a plugin takes too long for is ended, counts as its error, and spoils nothing."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.plugin_makers import load as load_all
from toolkit.errors import PluginError
from toolkit.plugins import calls
from toolkit.request import GenerationRequest

RED = Image.new("RGB", (8, 6), (200, 10, 10))
LOOP = "    while True: pass"
ASKED = GenerationRequest("a fox", seed=7)


def test_what_loops_while_others_wait_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "QUICK_SECONDS", 0.2)
    plugins = load_all(
        tmp_path,
        a=f"@hookimpl\ndef prepare_request(request):\n{LOOP}",
        b=f"def run(text, chance, context):\n{LOOP}\n"
        "@hookimpl\ndef register_prompt_transforms(): yield PromptTransform('b', 'B', run, ('prompt',))",
        c=f"@hookimpl\ndef describe_image(request):\n{LOOP}",
        d="@hookimpl\ndef describe_image(request): return 'nice'",
    )
    assert calls.prepare(plugins, ASKED).prompt == "a fox"
    assert set(calls.describe(plugins, ASKED, RED)) == {"plugins"}
    assert "must give names with their texts" in plugins.get("d").reason
    for name in "abc":
        assert "not done within 0.2 seconds" in plugins.get(name).reason


def test_what_loops_while_a_file_is_made_or_an_event_is_told_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "SLOW_SECONDS", 0.2)
    plugins = load_all(
        tmp_path,
        a=f"@hookimpl\ndef sign_file(path):\n    path.write_bytes(b'half')\n{LOOP}",
        b=f"def run(image, context):\n{LOOP}\n"
        "@hookimpl\ndef register_exporters(): yield Exporter('b', 'B', 'txt', 'text/plain', run)",
        c=f"@hookimpl\ndef on_event(event):\n{LOOP}",
    )
    png = io.BytesIO()
    RED.save(png, "PNG")
    assert calls.sign(plugins, png.getvalue(), ASKED) == png.getvalue()
    with pytest.raises(PluginError, match=r"“B” failed: It was not done within 0\.2 seconds"):
        calls.export(plugins, "b", RED, ASKED)
    calls.notify(plugins, object())
    for name in "abc":
        assert "not done within 0.2 seconds" in plugins.get(name).reason
