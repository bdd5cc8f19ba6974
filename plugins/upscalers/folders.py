"""`launch.py upscale`: pictures and whole folders of them, one after the other, as files of the same names."""

import logging
import os
from dataclasses import replace
from pathlib import Path

from toolkit.plugins.api import Context, RequestError

from .sizes import choose, exactly, wanted

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff")


def upscale_files(studio, words, options):
    """Enlarge every picture that isn't done yet; what can't be read is named and left out. Returns 1 if any was."""
    if not words:
        raise RequestError("upscale", "Name the pictures or folders to enlarge: launch.py upscale FOLDER.")
    tasks, missing = plan([Path(word).expanduser() for word in words], options["out"])
    for path in missing:
        print(f"There is no picture or folder {path}.")
    enlarge, done, there, failed = Enlarger(studio, options), 0, 0, len(missing)
    for number, (source, target) in enumerate(tasks, 1):
        try:
            if target.exists() and enlarge.made(source, target):
                there += 1
                continue
            width, height = enlarge(source, target)
        except (RequestError, OSError) as error:
            said = getattr(error, "strerror", None) or str(error)
            said = said if source.name in said else f"{source.name}: {said}"
            print(f"[{number}/{len(tasks)}] left out: {said}")
            failed += 1
        else:
            print(f"[{number}/{len(tasks)}] {target}: {width} × {height}", flush=True)
            done += 1
    print(f"{done} enlarged, {there} there already, {failed} left out.")
    return 1 if failed else 0


def plan(sources, out):
    """(picture, file to write) for every picture, the same in every run, and the sources that aren't there."""
    tasks, missing, taken = [], [], set()
    for source in sources:
        if source.is_dir():
            found = sorted(path for path in source.iterdir() if path.suffix.lower() in PICTURES and path.is_file())
            folder = Path(out).expanduser() if out else source / "upscaled"
            folder = folder / source.resolve().name if out and len(sources) > 1 else folder
        elif source.is_file():
            found, folder = [source], Path(out).expanduser() if out else source.parent / "upscaled"
        else:
            missing.append(source)
            continue
        for path in found:
            target = folder / f"{path.stem}.png"
            if target in taken:  # a.jpg beside a.png
                target = folder / f"{path.name}.png"
            taken.add(target)
            tasks.append((path, target))
    return tasks, missing


class Enlarger:
    """Enlarges one file after another; a model is loaded once."""

    def __init__(self, studio, options):
        from toolkit.request import GenerationRequest

        plugins = studio.plugins
        log = logging.getLogger("limner.plugins.upscalers")
        self._options, self._models = options, {}
        wanted((1, 1), options["scale"], options["to"])  # a size that is none is said once too
        self._context = Context(
            GenerationRequest(), {}, Path(), plugins.data, plugins.models, log, places=plugins.places
        )  # fmt: skip
        if options["model"].lower() == "lanczos":
            return
        self._context = replace(self._context, device=device())
        if options["model"]:
            choose(options["model"], 1, self._context)  # a wrong name is said once, not for every picture

    def made(self, source, target):
        """Whether `target`, which is there, is of the size that is asked for; RequestError when it has another."""
        from PIL import Image

        with Image.open(source) as before, Image.open(target) as after:
            sizes = (before.size, before.size[::-1])  # a camera's picture may lie on its side
            if after.size in [wanted(size, self._options["scale"], self._options["to"]) for size in sizes]:
                return True
            there = f"{after.width} × {after.height} pixels"
        raise RequestError("upscale", f"{target} is there with {there}: remove it, or choose another folder by --out.")

    def __call__(self, source, target):
        """Save `source` enlarged as `target`, whole or not at all, and return its size."""
        from toolkit.opening import open_picture

        opened = open_picture(source)
        size = wanted(opened.image.size, self._options["scale"], self._options["to"])
        large, used = self._enlarged(opened.image, size)
        if opened.alpha is not None:
            large.putalpha(exactly(opened.alpha, size))
        save(large, source, opened.image, target, used)
        return size

    def _enlarged(self, image, size):
        name, needed = self._options["model"], max(size[0] / image.width, size[1] / image.height)
        if name.lower() == "lanczos":
            return exactly(image.copy(), size), {"name": "lanczos", "to": f"{size[0]}x{size[1]}"}
        from .tiles import grown, load

        path = choose(name, needed, self._context)
        if path not in self._models:
            self._models[path] = load(path, self._context.device)
        large = grown(self._models[path], image, needed, int(self._options["tile"]), self._context)
        return exactly(large, size), {"name": "upscale", "file": path.stem, "to": f"{size[0]}x{size[1]}"}


def save(large, source, before, target, used):
    """Write a PNG that says how it was made: the settings of the picture if it had any, and this step."""
    from toolkit.errors import MetadataError
    from toolkit.finishing import FinishStep
    from toolkit.metadata import png_info, read_settings
    from toolkit.pictures import pixel_hash
    from toolkit.request import GenerationRequest
    from toolkit.starts import AsIs

    try:
        request = read_settings(source)[0]
    except MetadataError:
        request = GenerationRequest(start=AsIs(pixel_hash(before)))
    step = FinishStep(used["name"], {key: value for key, value in used.items() if key != "name"})
    info = png_info(replace(request, finish=(*request.finish, step)), {"enlarged": source.name})
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    try:
        large.save(part, "PNG", compress_level=1, pnginfo=info)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def device():
    """Where models run: a GPU when torch has one; RequestError while torch is still to be installed."""
    try:
        import torch
    except ImportError as error:
        sentence = "The packages that draw are not installed yet: run `launch.py generate` once or add --model lanczos."
        raise RequestError("model", sentence) from error
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
