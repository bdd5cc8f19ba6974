"""What stands around a picture: a border, and a line of text below it."""


def border(image, options, context):
    from PIL import ImageOps

    return ImageOps.expand(image.convert("RGB"), max(1, round(min(image.size) * options["width"])), options["color"])


def caption(image, options, context):
    from PIL import Image, ImageDraw, ImageFont

    request = context.request
    text = options["text"] or "{prompt}"
    text = " ".join(text.replace("{prompt}", request.prompt).replace("{seed}", str(request.seed)).split())
    size = max(10, image.width // 24)
    font = ImageFont.load_default(size)
    lines = _wrapped(text, font, image.width - 2 * size)
    below = round(size * (1.35 * len(lines) + 1.1))
    done = Image.new("RGB", (image.width, image.height + below), options["ground"])
    done.paste(image.convert("RGB"), (0, 0))
    pen = ImageDraw.Draw(done)
    for number, line in enumerate(lines):
        pen.text((image.width / 2, image.height + size * (0.6 + 1.35 * number)), line, options["ink"], font, "ma")
    return done


def _wrapped(text, font, width, most=4):
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines[:most]
