"""The evaluation's table and its command line."""

import argparse

import pytest

from toolkit.starter.cli import PARTS, add_arguments, run
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


def test_every_part_has_a_score():
    from toolkit.starter import evaluation

    assert tuple(evaluation.PARTS) == PARTS
