"""Words by chance in prompts, by `dynamicprompts`: {red|blue}, __thing__, {2$$ and $$cat|dog|fish}."""

from toolkit.plugins.api import PromptTransform, RequestError, hookimpl

MAX_BRACES = 200


def expand(text, chance, context):
    """The text with every choice made; text without choices comes back untouched."""
    if "{" not in text and "__" not in text and "${" not in text:
        return text
    if text.count("{") > MAX_BRACES:
        raise RequestError("prompt", f"The prompt has {text.count('{')} braces; at most {MAX_BRACES} work.")
    from dynamicprompts.generators import RandomPromptGenerator
    from dynamicprompts.wildcards import WildcardManager

    own = context.data / "wildcards"  # a person's lists come before the plugin's of the same name
    lists = WildcardManager(own) if own.is_dir() else None
    bundled = WildcardManager(context.folder / "lists")
    generator = RandomPromptGenerator(wildcard_manager=lists or bundled, seed=chance.getrandbits(32))
    try:
        if lists is not None:
            text = _missing_from(lists, bundled, text)
        expanded = generator.generate(text, num_images=1)[0]
    except RecursionError:
        raise RequestError("prompt", "The choices in the prompt are nested too deep, or a wildcard names itself.")
    except Exception as error:  # the parser raises errors of several packages, all about the text
        where = f" near “{text[error.loc : error.loc + 20]}”" if hasattr(error, "loc") else ""
        raise RequestError("prompt", f"The choices in the prompt can't be read{where}: does every {{ have its }}?")
    for name in _left_over(expanded):
        there = ", ".join(sorted(path.stem for path in [*(context.folder / "lists").glob("*.txt"), *own.glob("*.txt")]))
        raise RequestError("prompt", f"There is no wildcard “{name}”; there are {there}.")
    return expanded


def _missing_from(lists, bundled, text):
    """The text with the wildcards that only the plugin has written out as choices."""
    for name in _left_over(text):
        if not lists.get_values(name) and (values := bundled.get_values(name)):
            text = text.replace(f"__{name}__", "{" + "|".join(str(value) for value in values) + "}")
    return text


def _left_over(text):
    import re

    return re.findall(r"__([\w./*-]+?)__", text)


@hookimpl
def register_prompt_transforms():
    yield PromptTransform("wildcards", "Wildcards", expand, order=-10)
