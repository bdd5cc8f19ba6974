"""The chain of training: what each stage needs, takes and leaves, and running it. Only a stage imports torch."""

import argparse
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import ModelError
from toolkit.starter.paths import FOLDER, JUDGE, SHEET

# What the denoiser is shown beyond its share where nothing else is asked for: things take longest of all.
MORE = {"denoiser": {"thing": 0.3}, "things": {"thing": 0.4}}
BESIDE = ("styles", "control", "depth", "draft", "clip", "upscaler")
# The part of a pipeline folder that a stage goes on from with --start, and what it takes from there as it is.
PARTS = {"text": "text_encoder", "denoiser": "unet"}
BROUGHT = {"all": ("vae",), "text": (), "denoiser": ("vae", "text_encoder", "tokenizer")}


@dataclass(frozen=True)
class Stage:
    """One stage: its usual minutes (None: it has no clock), the stages before it, and what it leaves in the work
    folder (names, with wildcards). It is through when `product` is there; one without keeps its own account.

    When it begins anew, what the stages of `stale` left belongs to something else.
    """

    minutes: float | None
    needs: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    product: str = ""
    stale: tuple[str, ...] = ()


STAGES = {
    "vae": Stage(10, (), ("vae", "vae.pt"), "vae", ("decoder", "scenes", "denoiser", "things", *BESIDE)),
    "decoder": Stage(30, ("vae",), ("decoder.pt",)),
    "text": Stage(3, (), ("text_encoder", "tokenizer"), "text_encoder", ("denoiser", "things", *BESIDE)),
    "scenes": Stage(None, ("vae",), ("latents.pt",), "latents.pt"),
    "denoiser": Stage(180, ("vae", "text", "scenes"), ("denoiser.pt", "folder"), stale=("things",)),
    "things": Stage(100, ("denoiser",), ("things.pt",)),
    "judge": Stage(None),
    "publish": Stage(None, ("denoiser", "judge")),
    "styles": Stage(8, ("publish",), ("style-*.pt",)),
    "control": Stage(35, ("publish",), ("control-lines.pt",)),
    "depth": Stage(60, ("publish",), ("control-depth.pt",)),
    "draft": Stage(11, ("publish",), ("draft.pt", "draft-pairs.pt")),
    "clip": Stage(20, ("publish",), ("clip.pt",)),
    "upscaler": Stage(5, ("publish",), ("upscaler-x*.pt",)),
}


def train(args: argparse.Namespace) -> None:
    """Runs the stages that the command line asks for. Raises ModelError for options that can't be followed."""
    elsewhere = args.out.resolve() != FOLDER.resolve()
    _recall(args)
    _check(args, elsewhere)
    try:
        args.work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"{args.work} can't be the work folder: {error.strerror}.") from None
    for stage in _stages(args, elsewhere):
        if _through(stage, args, elsewhere):
            print(f"{stage}: done already")
            continue
        if missing := _missing(stage, args.work):
            raise ModelError(missing)
        _run(stage, args)
    if elsewhere and args.stage == "all":
        print(f"The model is at {args.out}. Styles, ControlNets, CLIP and upscalers are trained for {FOLDER} alone.")


def _stages(args: argparse.Namespace, elsewhere: bool) -> tuple[str, ...]:
    """The stages to run, once nothing in the work folder can be taken for theirs that isn't, and --start is there."""
    whole, fresh = args.stage == "all", not args.resume
    stages = tuple(name for name in STAGES if not (elsewhere and name in BESIDE)) if whole else (args.stage,)
    if whole and fresh:
        _set_aside(args, stages)
    if args.start:
        _bring(args)
        if stages == ("denoiser",) and not (args.work / STAGES["scenes"].product).exists():
            stages = ("scenes", "denoiser")
        stages = tuple(name for name in stages if name != "vae")
    if missing := _missing(stages[0], args.work):
        raise ModelError(missing)
    if fresh and not whole:
        _set_aside(args, stages)
    if fresh and args.stage in ("all", "denoiser"):
        kept = {"start": str(args.start.resolve()) if args.start else None, "more": args.more}
        (args.work / "options.json").write_text(json.dumps(kept), encoding="utf-8")
    return stages


def _recall(args: argparse.Namespace) -> None:
    """Takes up --start and --more of the run that is resumed, where they aren't given again."""
    kept = args.work / "options.json"
    if args.resume and args.stage in ("all", "denoiser") and kept.exists():
        found = json.loads(kept.read_text(encoding="utf-8"))
        args.start = args.start or (Path(found["start"]) if found["start"] else None)
        args.more = args.more or [tuple(one) for one in found["more"]]


def _check(args: argparse.Namespace, elsewhere: bool) -> None:
    if sum(dict(args.more).values()) >= 1:
        raise ModelError("The parts given with --more come to 1 or more; leave some for the usual mix.")
    stage = args.stage
    if args.minutes and (stage == "all" or STAGES[stage].minutes is None):
        clocks = ", ".join(name for name, one in STAGES.items() if one.minutes)
        raise ModelError(f"--minutes is the time of one stage; name it with --stage: one of {clocks}.")
    for option, takers in {"start": tuple(PARTS), "more": tuple(MORE)}.items():
        if getattr(args, option) and stage not in ("all", *takers):
            raise ModelError(f"The stage {stage} takes no --{option}; {' and '.join(takers)} do.")
    if args.start:
        wanted = PARTS.values() if stage == "all" else (PARTS[stage],)
        absent = [part for part in wanted if not (args.start / part / "config.json").is_file()]
        if absent:
            raise ModelError(f"There is no trained model to go on from at {args.start}: {absent[0]} is missing.")
        if not args.resume and args.start.resolve().is_relative_to(args.work.resolve()):
            raise ModelError(f"{args.start} lies in {args.work}, where a new run begins; copy it elsewhere first.")
    if args.resume and args.minutes and (args.work / (STAGES[stage].product or "-")).exists():
        raise ModelError(f"The stage {stage} is done and can't go on; without --resume it begins anew.")
    if elsewhere and stage in BESIDE:
        raise ModelError(f"The stage {stage} works on {FOLDER} and writes beside it, so it takes no --out.")


def _set_aside(args: argparse.Namespace, stages: tuple[str, ...]) -> None:
    """Moves what earlier runs of stages left to the work folder's `earlier`; nothing of it is taken for this run's."""
    work = args.work
    # Words that go on from a trained model mean what they meant before.
    stale = [other for stage in stages if not (stage == "text" and args.start) for other in STAGES[stage].stale]
    names = [name for stage in dict.fromkeys((*stages, *stale)) for name in STAGES[stage].leaves]
    for path in [path for name in names for path in sorted(work.glob(name))]:
        kept = work / "earlier" / path.name
        kept.parent.mkdir(exist_ok=True)
        if kept.is_dir():
            shutil.rmtree(kept)
        path.replace(kept)


def _bring(args: argparse.Namespace) -> None:
    """Copies from --start what the work folder lacks and no stage of this run makes."""
    for part in BROUGHT[args.stage]:
        if not (args.work / part).exists() and (args.start / part).is_dir():
            shutil.copytree(args.start / part, args.work / part)


def _through(stage: str, args: argparse.Namespace, elsewhere: bool) -> bool:
    if stage == "judge":
        return JUDGE.exists() and (args.resume or (elsewhere and args.stage == "all"))
    product = STAGES[stage].product
    return args.resume and bool(product) and (args.work / product).exists()


def _missing(stage: str, work: Path) -> str:
    """What a stage needs and isn't there, as a sentence; empty when everything is."""
    made = {name: work / one.product for name, one in STAGES.items() if one.product}
    made |= {"denoiser": work / "folder", "judge": JUDGE, "publish": FOLDER / "card.json"}
    for first in STAGES[stage].needs:
        if not made[first].exists():
            return f"The stage {stage} needs {made[first]}, which `--stage {first}` makes: run that before it."
    return ""


def _run(stage: str, args: argparse.Namespace) -> None:
    work, resume, minutes = args.work, args.resume, args.minutes or STAGES[stage].minutes
    if stage in ("vae", "decoder"):
        from toolkit.starter.autoencoder import train_autoencoder

        model = train_autoencoder(work, minutes, resume, work if stage == "decoder" else None)
        if stage == "decoder" and (work / "folder").exists():
            from toolkit.starter.folder import write_vae

            write_vae(model, work / "folder")
    elif stage == "text":
        from toolkit.starter.text import train_text_encoder

        train_text_encoder(work, minutes, args.start)
    elif stage == "scenes":
        from toolkit.starter.denoiser import prepare_latents

        prepare_latents(work)
    elif stage in MORE:
        _run_denoiser(stage, args, minutes)
    elif stage in ("styles", "control", "depth", "draft"):
        from toolkit.starter.beside import train_beside

        print(json.dumps(train_beside(stage, work, minutes, resume)))
    elif stage in ("clip", "upscaler"):
        from toolkit.starter.release_models import train_model

        print(json.dumps(train_model(stage, work, minutes, resume)))
    elif stage == "judge":
        from toolkit.starter.judge import train_judge

        print(f"the judge names {train_judge()[1]:.1%} of fresh drawings rightly")
    else:
        _publish(args)


def _run_denoiser(stage: str, args: argparse.Namespace, minutes: float) -> None:
    from toolkit.starter.denoiser import train_denoiser

    usual = {} if stage == "denoiser" and args.start else MORE[stage]
    asked = {} if stage == "things" and args.stage == "all" else dict(args.more)
    start = args.work / "folder" if stage == "things" else args.start
    trained = train_denoiser(args.work, minutes, args.resume, start, asked or usual, stage=stage)
    if trained and stage == "denoiser":
        _set_aside(args, ("things",))


def _publish(args: argparse.Namespace) -> None:
    from toolkit.starter.publish import publish

    own = args.out.resolve() == FOLDER.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    card = publish(args.work / "folder", args.out, SHEET if own else args.out / "contact-sheet.png")
    if own:
        from toolkit.starter.release_models import card_base

        card["scores"] |= card_base()
    print(json.dumps(card["scores"]), file=sys.stdout)
