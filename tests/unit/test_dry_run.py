"""What a prompt becomes is known before anything is drawn: `expand`, and `generate --dry-run`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.plugin_makers import load
from toolkit import GenerationRequest
from toolkit.commands.dry_run import resolved, told
from toolkit.commands.generate import build_request
from toolkit.commands.line import read
from toolkit.metadata import png_info
from toolkit.models import ModelIndex
from toolkit.prepare import expand, prepare
from toolkit.settings import Settings, load_settings
from toolkit.starts import Refine
from toolkit.styles import all_styles

ROOT = Path(__file__).resolve().parents[2]
CHANCE = (
    "@hookimpl\ndef register_prompt_transforms():\n"
    "    yield PromptTransform('any', 'Any', lambda t, r, c: t.replace('ANY', r.choice(['red', 'blue', 'gold'])))"
)


@pytest.fixture
def settings(data: Path) -> Settings:
    return load_settings(data=data)


def test_the_words_shown_are_the_words_drawn(tmp_path: Path) -> None:
    plugins, styles = load(tmp_path, any=CHANCE), all_styles(tmp_path)
    models = ModelIndex([ROOT / "models" / "checkpoints"])
    shown, rewritten = expand(GenerationRequest("ANY fish on ANY"), styles, plugins)
    assert rewritten and "ANY" not in shown.prompt
    drawn = prepare(GenerationRequest("ANY fish on ANY", seed=shown.seed), models, styles, plugins=plugins)
    assert drawn.prompt == shown.prompt
    others = {expand(GenerationRequest("ANY fish on ANY", seed=seed), styles, plugins)[0].prompt for seed in range(40)}
    assert len(others) == 3


def test_words_that_no_plugin_changes_are_not_called_rewritten(tmp_path: Path) -> None:
    plugins, styles = load(tmp_path, any=CHANCE), all_styles(tmp_path)
    styled = GenerationRequest("a fish", styles=(next(iter(styles.styles)),))
    expanded, rewritten = expand(styled, styles, plugins)
    assert (rewritten, expanded.prompt != "a fish") == (False, True)


def test_a_dry_run_makes_every_choice_and_draws_nothing(settings: Settings) -> None:
    args = read(["generate", "a {red|blue} fish", "--finish", "grain:amount=0.5", "--dry-run"])
    requests = resolved(GenerationRequest("a {red|blue} fish", count=2), settings, args)
    [request] = requests
    assert request.prompt in ("a red fish", "a blue fish")
    assert request.seed is not None and request.size and request.sampling.steps
    said = told(requests, as_json=False)
    assert said.startswith(request.prompt) and "a {red|blue} fish" in said and "grain:amount=0.5" in said
    assert f"2 pictures from seed {request.seed}" in said
    plain = json.loads(told(requests, as_json=True))
    assert GenerationRequest.from_dict(plain["requests"][0]) == request
    assert not list((Path(settings.data) / "pictures").rglob("*.png"))


def test_a_picture_refined_by_what_is_not_here_is_drawn_by_lanczos_and_says_so(settings: Settings, tmp_path, capsys):
    refined = GenerationRequest("a red fish", seed=3, refine=Refine(1.5, "blocks", 0.5))
    picture = tmp_path / "refined.png"
    Image.new("RGB", (8, 8)).save(picture, pnginfo=png_info(refined, {}))
    args = read(["generate", "--from", str(picture), "--dry-run"])
    source, _ = build_request(args)
    assert source.refine.upscaler == "blocks"
    [request] = resolved(source, settings, args)
    assert request.refine.upscaler == "lanczos"
    assert capsys.readouterr().err.count("enlarged by “blocks” before its second pass, which is not here") == 1
    args = read(["generate", "--from", str(picture), "--refine-upscaler", "upscale", "--dry-run"])
    [request] = resolved(build_request(args)[0], settings, args)
    assert request.refine.upscaler == "upscale" and not capsys.readouterr().err


def test_a_dry_run_of_a_walk_tells_every_picture(settings: Settings) -> None:
    args = read(["generate", "a red fish", "--walk-to", "a blue star", "--frames", "3", "--dry-run"])
    assert len(resolved(GenerationRequest("a red fish", seed=4), settings, args)) == 3
