"""The commands `starter train` and `starter evaluate`. Imports nothing but the standard library until one runs."""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from toolkit.errors import LimnerError
from toolkit.starter.chain import STAGES, train
from toolkit.starter.paths import FOLDER, WORK

PARTS = ("base", "families", "vae", "styles", "control", "inpaint", "clip", "upscaler", "draft")
# What can be scored of a folder that isn't the shipped one: the others go with the shipped base.
OWN_PARTS = ("base", "families", "vae", "inpaint")
# The families by name, as `families.py` has them.
SHOWN = ("simple", "thing", "pattern", "landscape", "poster")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the commands `train` and `evaluate` to a parser."""
    commands = parser.add_subparsers(dest="starter_command", required=True)
    train = commands.add_parser("train", help="train the starter from scratch: about nine hours on one core")
    train.add_argument("--stage", choices=(*STAGES, "all"), default="all", help="each stage needs those before it")
    train.add_argument(
        "--resume", action="store_true",
        help="go on where training stopped, keeping finished stages; without it, what earlier runs of the stage "
        "left is put into the work folder's `earlier`",
    )  # fmt: skip
    train.add_argument(
        "--minutes", type=minutes_of, help="training time of the stage in all, of each look or upscaler where there "
        "are several; in place of its usual one",
    )  # fmt: skip
    train.add_argument(
        "--start",
        type=Path,
        help="a trained model's folder: text and denoiser go on from it, its autoencoder is kept",
    )
    train.add_argument(
        "--more", type=family_part, action="append", default=[], metavar="FAMILY=PART",
        help="a family to show beyond its share, in place of thing=0.3 (denoiser), thing=0.4 (things); below 1 in all",
    )  # fmt: skip
    train.add_argument("--work", type=Path, default=WORK, help="where unfinished training is kept")
    train.add_argument("--out", type=Path, default=FOLDER, help="where the finished model goes")
    evaluate = commands.add_parser("evaluate", help="score the whole kit on combinations it never saw")
    evaluate.add_argument("--json", action="store_true", help="print the scores as JSON only")
    evaluate.add_argument("--quick", action="store_true", help="about a fifth of the pictures")
    evaluate.add_argument("--only", help=f"parts to score, with commas between: {','.join(PARTS)}")
    evaluate.add_argument("--sheets", type=Path, default=WORK / "sheets", help="where the contact sheets go")
    evaluate.add_argument(
        "--folder", type=Path, default=FOLDER,
        help=f"the model to score; of another than the shipped one: {','.join(OWN_PARTS)}",
    )  # fmt: skip


def minutes_of(text: str) -> float:
    """Minutes above 0, from "12.5"; raises what argparse shows as a sentence."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"“{text}” should be a number of minutes above 0")
    return value


def family_part(text: str) -> tuple[str, float]:
    """A family's name and a part of the scenes, from "thing=0.3"; raises what argparse shows as a sentence."""
    name, _, part = text.partition("=")
    try:
        value = float(part)
    except ValueError:
        value = 0.0
    if name not in SHOWN or not 0 < value < 1:
        raise argparse.ArgumentTypeError(
            f"“{text}” should be FAMILY=PART: one of {', '.join(SHOWN)}, and above 0, below 1"
        )
    return name, value


def run(args: argparse.Namespace, settings: object = None) -> int:
    """Runs the command; 0 when it went well, 2 after a sentence that says what is wrong.

    It needs no settings, but every command is called with them.
    """
    try:
        if args.starter_command == "train":
            train(args)
            return 0
        return _evaluate(args)
    except LimnerError as error:
        print(error, file=sys.stderr)
        return 2


def _wrong(args: argparse.Namespace, only: Sequence[str]) -> str:
    """What of an evaluation's options can't be followed, as a sentence; empty when all can."""
    if not (args.folder / "model_index.json").exists():
        return f"There is no model at {args.folder}. Train one with `launch.py starter train`."
    if not (args.folder / "card.json").exists():
        return f"The model at {args.folder} has no card.json: `starter train --stage publish` writes one."
    unknown = [part for part in only if part not in PARTS]
    if unknown:
        return f"There is no part “{unknown[0]}” to score; there are {', '.join(PARTS)}."
    foreign = [part for part in only if part not in OWN_PARTS]
    if foreign and args.folder.resolve() != FOLDER.resolve():
        return f"The part {foreign[0]} goes with {FOLDER}; of another folder {', '.join(OWN_PARTS)} can be scored."
    return ""


def _evaluate(args: argparse.Namespace) -> int:
    only = [part.strip() for part in (args.only or "").split(",") if part.strip()]
    if wrong := _wrong(args, only):
        print(wrong, file=sys.stderr)
        return 2
    if args.folder.resolve() != FOLDER.resolve():
        only = only or list(OWN_PARTS)
    from toolkit.starter.evaluation import evaluate_kit
    from toolkit.starter.table import lines

    scores = evaluate_kit(args.sheets, only, args.quick, args.folder, lambda part: print(part, file=sys.stderr))
    if args.json:
        print(json.dumps(scores))
    else:
        print("\n".join(lines(scores)))
        print(f"Contact sheets are in {args.sheets}.")
    return 0
