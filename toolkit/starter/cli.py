"""The commands `starter train` and `starter evaluate`. Imports nothing but the standard library until one runs."""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "models" / "checkpoints" / "limner-starter"
WORK = ROOT / "starter-work"
SHEET = ROOT / "docs" / "images" / "starter-contact-sheet.png"
STAGES = (
    "vae", "text", "scenes", "denoiser", "things", "judge", "publish", "styles", "control", "depth", "draft", "clip",
    "upscaler",
)  # fmt: skip
PARTS = ("base", "families", "vae", "styles", "control", "inpaint", "clip", "upscaler", "draft")
# The families by name, as `families.py` has them.
SHOWN = ("simple", "thing", "pattern", "landscape", "poster")
# What the stage `things` shows beyond its share: things take longest of all.
MORE_THINGS = {"thing": 0.4}
BESIDE = ("styles", "control", "depth", "draft")
# What a stage leaves when it is through; the denoiser keeps its own account, publishing is done anew each time.
PRODUCTS = {"vae": "vae", "text": "text_encoder", "scenes": "latents.pt"}
# The stages that a stage can't run without; what each of them leaves is looked for before it starts.
NEEDS = {
    "scenes": ("vae",), "denoiser": ("vae", "text", "scenes"), "things": ("denoiser",),
    "publish": ("denoiser", "judge"),
} | dict.fromkeys(STAGES[STAGES.index("publish") + 1 :], ("publish",))  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the commands `train` and `evaluate` to a parser."""
    commands = parser.add_subparsers(dest="starter_command", required=True)
    train = commands.add_parser("train", help="train the starter from scratch: about eight hours on one core")
    train.add_argument("--stage", choices=(*STAGES, "all"), default="all", help="each stage needs those before it")
    train.add_argument("--resume", action="store_true", help="go on where training stopped, keeping finished stages")
    train.add_argument("--minutes", type=float, help="training time of the stage, in place of its usual one")
    train.add_argument("--start", type=Path, help="a trained model's folder that words and denoiser go on from")
    train.add_argument(
        "--more", type=family_part, action="append", default=[], metavar="FAMILY=PART",
        help="a family to show the denoiser beyond its share, such as thing=0.3; may be given again, below 1 in all",
    )  # fmt: skip
    train.add_argument("--work", type=Path, default=WORK, help="where unfinished training is kept")
    train.add_argument("--out", type=Path, default=FOLDER, help="where the finished model goes")
    evaluate = commands.add_parser("evaluate", help="score the whole kit on combinations it never saw")
    evaluate.add_argument("--json", action="store_true", help="print the scores as JSON only")
    evaluate.add_argument("--quick", action="store_true", help="about a fifth of the pictures")
    evaluate.add_argument("--only", help=f"parts to score, with commas between: {','.join(PARTS)}")
    evaluate.add_argument("--sheets", type=Path, default=WORK / "sheets", help="where the contact sheets go")
    evaluate.add_argument("--folder", type=Path, default=FOLDER, help="the model to score")


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
    """Runs the command; 0 when it went well. It needs no settings, but every command is called with them."""
    return _train(args) if args.starter_command == "train" else _evaluate(args)


def _train(args: argparse.Namespace) -> int:
    if sum(dict(args.more).values()) >= 1:
        print("The parts given with --more come to 1 or more; leave some for the usual mix.", file=sys.stderr)
        return 2
    args.work.mkdir(parents=True, exist_ok=True)
    for stage in STAGES if args.stage == "all" else (args.stage,):
        if args.resume and stage in PRODUCTS and (args.work / PRODUCTS[stage]).exists():
            print(f"{stage}: done already")
        elif missing := _missing(stage, args.work):
            print(missing, file=sys.stderr)
            return 2
        else:
            _run_stage(stage, args)
    return 0


def _missing(stage: str, work: Path) -> str:
    """What a stage needs and isn't there, as a sentence; empty when everything is."""
    made = {stage: work / name for stage, name in PRODUCTS.items()} | {
        "denoiser": work / "folder",
        "judge": Path(__file__).with_name("judge.safetensors"),
        "publish": FOLDER / "card.json",
    }
    for first in NEEDS.get(stage, ()):
        if not made[first].exists():
            return f"The stage {stage} needs {made[first]}, which `--stage {first}` makes: run that before it."
    return ""


def _run_stage(stage: str, args: argparse.Namespace) -> None:
    if stage == "vae":
        from toolkit.starter.autoencoder import train_autoencoder

        train_autoencoder(args.work, args.minutes or 10, args.resume, args.start)
    elif stage == "text":
        from toolkit.starter.text import train_text_encoder

        train_text_encoder(args.work, args.minutes or 3, args.start)
    elif stage == "scenes":
        from toolkit.starter.denoiser import prepare_latents

        prepare_latents(args.work)
    elif stage == "denoiser":
        from toolkit.starter.denoiser import train_denoiser

        train_denoiser(args.work, args.minutes or 150, args.resume, args.start, dict(args.more))
    elif stage == "things":
        from toolkit.starter.denoiser import train_denoiser

        train_denoiser(args.work, args.minutes or 100, args.resume, args.work / "folder", MORE_THINGS, stage=stage)
    elif stage in BESIDE:
        from toolkit.starter.beside import train_beside

        print(json.dumps(train_beside(stage, args.work, args.minutes, args.resume)))
    elif stage in ("clip", "upscaler"):
        from toolkit.starter.release_models import train_model

        print(json.dumps(train_model(stage, args.work, args.minutes, args.resume)))
    elif stage == "judge":
        from toolkit.starter.judge import train_judge

        print(f"the judge names {train_judge()[1]:.1%} of fresh drawings rightly")
    else:
        from toolkit.starter.publish import publish

        args.out.mkdir(parents=True, exist_ok=True)
        card = publish(args.work / "folder", args.out, SHEET if args.out == FOLDER else args.out / "contact-sheet.png")
        if args.out == FOLDER:
            from toolkit.starter.release_models import card_base

            card["scores"] |= card_base()
        print(json.dumps(card["scores"]))


def _evaluate(args: argparse.Namespace) -> int:
    if not (args.folder / "model_index.json").exists():
        print(f"There is no model at {args.folder}. Train one with `launch.py starter train`.", file=sys.stderr)
        return 1
    only = [part.strip() for part in (args.only or "").split(",") if part.strip()]
    unknown = [part for part in only if part not in PARTS]
    if unknown:
        print(f"There is no part “{unknown[0]}” to score; there are {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    from toolkit.starter.evaluation import evaluate_kit
    from toolkit.starter.table import lines

    scores = evaluate_kit(args.sheets, only, args.quick, args.folder, lambda part: print(part, file=sys.stderr))
    if args.json:
        print(json.dumps(scores))
    else:
        print("\n".join(lines(scores)))
        print(f"Contact sheets are in {args.sheets}.")
    return 0
