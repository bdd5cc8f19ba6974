"""`launch.py generate`: draws from the command line with an engine of its own, into the same gallery as the page."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from toolkit.commands import drawing_flags
from toolkit.commands.attention_flag import ATTENTION, add_attention
from toolkit.commands.dry_run import resolved, told
from toolkit.errors import RequestError, StorageError
from toolkit.geometry import Size

if TYPE_CHECKING:
    from toolkit.jobs import GeneratedImage, JobEvent
    from toolkit.request import GenerationRequest
    from toolkit.settings import Settings
    from toolkit.studio import Job, Studio

HELP = "draw a picture from the command line"
PHASES = ("load", "encode", "denoise", "decode")
BAR = 24
# Jobs of a walk that draw together.
AT_ONCE = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("prompt", nargs="?", metavar="PROMPT", help="what to draw; with --from it may be left out")
    add("--negative", metavar="TEXT", help="what to keep out of the picture")
    add("--size", metavar="WxH", help="width and height in pixels (default: the model's own size)")
    add("--steps", type=_whole, metavar="N", help="denoising steps (default: the model's choice)")
    add("--guidance", type=_number, metavar="G", help="how closely the prompt is followed; 1 turns guidance off")
    add("--sampler", metavar="NAME", help="a sampler of docs/samplers.md, such as “DPM++ 2M” or euler_a")
    add("--schedule", metavar="NAME", help="spacing of the noise levels (default: the sampler's usual one)")
    add("--seed", type=_whole, metavar="N", help="the same seed draws the same picture (default: by chance)")
    add("--count", type=_whole, metavar="N", help="number of pictures, from seeds that follow each other (default: 1)")
    add("--model", metavar="ID|PATH", help="a model's name as `launch.py models` lists it, or a diffusers folder")
    add("--style", action="append", metavar="ID", help="a style by its id; may be given several times")
    add("--dtype", choices=("auto", "float32", "float16", "bfloat16"), help="precision (default: auto)")
    add_attention(parser)
    add("--threads", type=_whole, metavar="N", help="CPU threads (default: torch's choice)")
    add("--from", dest="source", metavar="FILE", help="take everything from the settings saved in this picture")
    add("--out", metavar="FILE|DIR", help="copy the saved pictures there, with their settings inside")
    add("--json", action="store_true", help="print one JSON object: the request, the files, the seconds")
    add("--exact", action="store_true", help="draw alone, never in one batch with others")
    add("--dry-run", action="store_true", help="say what would be drawn, with every choice made, and draw nothing")
    drawing_flags.add_arguments(parser)


def needs(args: argparse.Namespace) -> tuple[str, ...]:
    return ("page",) if args.dry_run else ("engine",)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Draw, copy, report. With --json standard output holds the one object and nothing else."""
    output = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        request, facts = build_request(args)
        if args.dtype is None and facts.get("dtype") in ("float32", "float16", "bfloat16"):
            settings = settings.model_copy(update={"dtype": facts["dtype"]})
        if args.attention is None and facts.get("attention") in ATTENTION:
            settings = settings.model_copy(update={"attention": facts["attention"]})
        if args.dry_run:
            print(told(resolved(request, settings, args, facts), args.json), file=output)
            return 0
        target = Target.of(args.out, request.count, numbered=args.walk_to is not None)
        job, images, wall = _draw(request, facts, settings, args)
        files = target.copy(images) if target else [image.path for image in images]
    if args.json:
        json.dump(report(job, files, wall), output, ensure_ascii=False)
        output.write("\n")
    else:
        for file in files:
            print(file, file=output)
    return 0


def build_request(args: argparse.Namespace) -> tuple[GenerationRequest, Mapping[str, Any]]:
    """The request that the flags ask for, on top of a picture's own with --from, and that picture's facts."""
    from toolkit.request import GenerationRequest

    request, facts = GenerationRequest(), {}
    if args.source is not None:
        from toolkit.metadata import read_settings

        request, facts, notes = read_settings(Path(args.source))
        for note in notes:
            print(note, file=sys.stderr)
    changes = {
        "prompt": args.prompt, "negative": args.negative, "size": _size(args.size), "steps": args.steps,
        "guidance": args.guidance, "sampler": args.sampler, "schedule": args.schedule, "seed": args.seed,
        "count": args.count, "model": args.model, "styles": tuple(args.style) if args.style else None,
    }  # fmt: skip
    changes = {name: value for name, value in changes.items() if value is not None}
    if changes.keys() & {"prompt", "negative", "styles"}:
        # What was typed once no longer tells how the new text came about.
        changes["written"] = None
    if "sampler" in changes and "schedule" not in changes:
        changes["schedule"] = "auto"
    return request.with_(**changes), facts


def report(job: Job, files: Sequence[Path], wall: float) -> dict[str, Any]:
    """What --json prints; `seconds.total` runs from the request to the saved files."""
    seconds = job.latest.seconds
    return {
        "request": job.request.to_dict(),
        "files": [str(file) for file in files],
        "seconds": {**{phase: round(seconds.get(phase, 0.0), 4) for phase in PHASES}, "total": round(wall, 4)},
    }


def _draw(
    request: GenerationRequest, facts: Mapping[str, Any], settings: Settings, args: argparse.Namespace
) -> tuple[Job, list[GeneratedImage], float]:
    from toolkit.studio import Studio

    started = time.perf_counter()
    images: list[GeneratedImage] = []
    with Studio(settings=settings) as studio:
        request = drawing_flags.recalled(request, facts, args, studio.plugins, studio.models)
        request = drawing_flags.changed(request, args, studio.inputs, studio.models)
        request = request.with_(seed=studio.prepare(request).seed)
        requests = drawing_flags.walk(request, args)
        first: Job | None = None
        for at in range(0, len(requests), AT_ONCE):
            exact = args.exact or args.source is not None
            jobs = [studio.submit(one, exact=exact) for one in requests[at : at + AT_ONCE]]
            if first is None:
                first = jobs[0]
                _name_unknown_words(studio, first.request)
            for job in jobs:
                _watch(job)
                images += job.wait()
        return first, images, time.perf_counter() - started


def _watch(job: Job) -> None:
    bar = Bar()
    for event in job.watch():
        bar.show(event)
    bar.close()


def _name_unknown_words(studio: Studio, request: GenerationRequest) -> None:
    """Say which words of the prompt a model with a small vocabulary passes over."""
    from toolkit.starter.words import unknown_words
    from toolkit.walks import take_walk

    model = studio.models.find(request.model)
    if not model.card.get("known_words"):
        return
    words = unknown_words(" ".join(filter(None, take_walk(request.prompt)[:2])), model.card)
    if words:
        named = ", ".join(f"“{word}”" for word in words)
        print(f"{model.title} doesn't know {named}; a bigger model will.", file=sys.stderr)


class Bar:
    """Progress on standard error: one moving line in a terminal, one line for each phase elsewhere."""

    def __init__(self) -> None:
        self._moving = sys.stderr.isatty()
        self._last = ""

    def show(self, event: JobEvent) -> None:
        if event.state.ended:
            return
        line = event.phase if not self._moving or not event.steps else self._steps(event)
        if line == self._last:
            return
        self._last = line
        start, end = ("\r\033[K", "") if self._moving else ("", "\n")
        print(f"{start}{line}", end=end, file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._moving:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    @staticmethod
    def _steps(event: JobEvent) -> str:
        done = BAR * event.step // event.steps
        return f"{event.phase:<10} {'━' * done}{'╌' * (BAR - done)} {event.step}/{event.steps}"


class Target:
    """Where --out wants its copies; refused before anything is drawn when nothing can be written there."""

    def __init__(self, folder: Path, name: str | None, numbered: bool) -> None:
        self._folder, self._name, self._numbered = folder, name, numbered

    @classmethod
    def of(cls, out: str | None, count: int, numbered: bool = False) -> Target | None:
        if out is None:
            return None
        path = Path(out).expanduser()
        is_folder = path.is_dir() or out.endswith(("/", os.sep)) or not path.suffix
        if not is_folder and path.suffix.lower() != ".png":
            raise RequestError("out", f"--out {out}: pictures are saved as PNG, so the file's name must end in .png.")
        target = cls(path, None, numbered) if is_folder else cls(path.parent, path.name, numbered)
        try:
            target._folder.mkdir(parents=True, exist_ok=True)
            probe = target._folder / f".limner-{os.getpid()}.part"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise StorageError(f"--out {out} can't be written ({error.strerror or error}): choose another place.")
        return target

    def copy(self, images: Sequence[GeneratedImage]) -> list[Path]:
        """Copy the saved files, each by a temporary file, so that a copy is whole or not there."""
        return [self._copy(image.path, self._place(image, at, len(images))) for at, image in enumerate(images)]

    def _place(self, image: GeneratedImage, at: int, count: int) -> Path:
        if self._name is None:
            return self._folder / (f"{at + 1:03}.png" if self._numbered else image.path.name)
        name = Path(self._name)
        return self._folder / (self._name if count == 1 else f"{name.stem}-{at + 1}{name.suffix}")

    def _copy(self, source: Path, place: Path) -> Path:
        part = place.with_name(f".{place.name}.part")
        try:
            part.write_bytes(source.read_bytes())
            os.replace(part, place)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise StorageError(f"{place} can't be written ({error.strerror or error}); the picture is at {source}.")
        return place


def _size(text: str | None) -> Size | None:
    try:
        return None if text is None else Size.parse(text)
    except ValueError as error:
        raise RequestError("size", str(error))


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{text}” is not a whole number")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"“{text}” is not a number")
