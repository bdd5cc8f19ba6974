"""The evaluation's table and its command line."""

import argparse
import random

import pytest
from diffusers import AutoencoderTiny

from toolkit.starter import chain
from toolkit.starter.cache import LatentCache
from toolkit.starter.cli import OWN_PARTS, PARTS, SHOWN, add_arguments, run
from toolkit.starter.families import FAMILIES
from toolkit.starter.paths import FOLDER
from toolkit.starter.table import lines

SCORES = {
    "base": {"all": 0.95},
    "control": {"lines": {"f1_on": 0.7, "f1_off": 0.2}},
    "draft": {"all": 0.8},
    "intervals": {"base": {"all": [0.9, 0.98]}},
    "details": {"base": {"negative_blue": 0.02}},
}


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser


def row(name: str) -> str:
    return next(line for line in lines(SCORES) if line.startswith(name))


def test_a_share_stands_with_its_interval_and_target():
    assert row("base.all").split() == ["base.all", "95.0%", "90.0%", "to", "98.0%", "≥", "90.0%"]


def test_a_missed_target_is_named():
    assert row("control.lines.f1_on").endswith("missed")
    assert not row("control.lines.f1_off").endswith("missed")
    assert not row("base.negative_blue").endswith("missed")


def test_four_steps_are_measured_against_the_base():
    assert "85.5%" in row("draft.all")
    assert row("draft.all").endswith("missed")


def test_an_unknown_part_is_refused(parser, capsys):
    assert run(parser.parse_args(["evaluate", "--only", "base,bass"])) == 2
    assert "“bass”" in capsys.readouterr().err


def test_of_another_folder_some_parts_are_scored(parser, capsys, tmp_path):
    words = ["evaluate", "--folder", str(tmp_path)]
    assert run(parser.parse_args(words)) == 2
    assert "There is no model" in capsys.readouterr().err
    (tmp_path / "model_index.json").write_text("{}")
    assert run(parser.parse_args(words)) == 2
    assert "has no card.json" in capsys.readouterr().err
    (tmp_path / "card.json").write_text("{}")
    assert run(parser.parse_args([*words, "--only", "clip"])) == 2
    assert f"of another folder {', '.join(OWN_PARTS)} can be scored" in capsys.readouterr().err


def test_every_part_has_a_score():
    from toolkit.starter import evaluation

    assert tuple(evaluation.PARTS) == PARTS


def test_a_family_can_be_shown_more(parser):
    args = parser.parse_args(["train", "--more", "pattern=0.5", "--more", "thing=0.2"])
    assert dict(args.more) == {"pattern": 0.5, "thing": 0.2}
    assert set(SHOWN) == set(FAMILIES)


@pytest.mark.parametrize("wrong", ["pattern", "patterns=0.5", "thing=1.5", "thing=much", "thing=0"])
def test_a_wrong_share_is_a_sentence(parser, capsys, wrong):
    with pytest.raises(SystemExit):
        parser.parse_args(["train", "--more", wrong])
    assert f"“{wrong}” should be FAMILY=PART" in capsys.readouterr().err


def test_shares_leave_some_for_the_usual_mix(parser, capsys, tmp_path):
    args = parser.parse_args(
        ["train", "--more", "pattern=0.5", "--more", "thing=0.5", "--work", str(tmp_path / "work")]
    )
    assert run(args) == 2
    assert "come to 1 or more" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    "stage, first",
    [("scenes", "vae"), ("denoiser", "vae"), ("things", "denoiser"), ("publish", "denoiser"), ("clip", "publish")],
)
def test_a_stage_names_the_one_that_goes_before_it(parser, capsys, tmp_path, monkeypatch, stage, first):
    monkeypatch.setattr(chain, "FOLDER", tmp_path / "model")
    words = ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "model")]
    assert run(parser.parse_args(["train", "--stage", stage, *words])) == 2
    assert f"which `--stage {first}` makes: run that before it" in capsys.readouterr().err


def test_a_batch_shows_a_family_beyond_its_share(tmp_path):
    vae = AutoencoderTiny.from_pretrained(FOLDER, subfolder="vae")
    cache = LatentCache(vae, 640)
    cache.fill(48)
    captions = cache.batch(300, random.Random(1), {"poster": 0.8})[1]
    posters = sum("poster" in caption for caption in captions)
    assert 0.75 < posters / 300 < 0.93
