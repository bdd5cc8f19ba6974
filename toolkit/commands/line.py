"""The command line: reads it, sees to the environment that the command needs, and runs the command inside."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any, NoReturn, Sequence

from toolkit import environment
from toolkit.commands import COMMANDS
from toolkit.errors import LimnerError

DESCRIPTION = "Limner: a studio for designers who draw with diffusion models. Without a command it opens the page."

# Flags that stand for a field of `toolkit.settings.Settings`, whichever command has them.
_SETTINGS = ("data", "plugins", "safe_mode", "host", "port", "dtype", "attention", "threads")

# Flags that every command takes, before or after its name.
_SHARED = ("--data", "--torch-index")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that refuses with one sentence instead of its whole usage."""

    def error(self, message: str) -> NoReturn:
        sentence = message[:1].upper() + message[1:].rstrip(".")
        self.exit(2, f"{sentence}. `{self.prog} --help` shows what works.\n")

    def command(self, name: str) -> argparse.ArgumentParser:
        """The parser of a command."""
        [commands] = [one for one in self._actions if isinstance(one, argparse._SubParsersAction)]
        return commands.choices[name]


def main(argv: Sequence[str]) -> int:
    """Run the command line `argv`; returns the exit code (2 for anything a person can put right)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        if "generate" in argv and environment.ready("page") and not environment.inside():
            return environment.run_inside(argv)  # its flags are those of plugins too, which need the packages
        args = read(argv)
        code = _run(args, argv)
        sys.stdout.flush()  # while what it may raise is still caught
        return code
    except LimnerError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # who reads it, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130


def read(argv: Sequence[str]) -> argparse.Namespace:
    """The parsed command line: `serve` when no command is named; what follows `test` is kept as `rest`, for pytest."""
    folders, safe, argv = _take_plugins(argv)
    before, words = _take_shared(argv, stop=True)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help", "--version")):
        words = ["serve", *words]
    rest: list[str] = []
    if words[0] == "test" and words[1:2] not in (["-h"], ["--help"]):
        after, rest = _take_shared(words[1:], stop=False)
        words = ["test", *after]
    if words[0] in _commands_of_plugins(folders):
        after, others = _take_shared(words[1:], stop=False)
        before, words = [*before, *after], ["plugins", "run", words[0], *others]
    if words[0] in ("models", "plugins") and words[1:2] != ["run"]:
        after, others = _take_shared(words[1:], stop=False)
        words = [words[0], *after, *others]
    parser = _parser()
    extras: dict[str, Any] = {}
    if words[0] == "generate":
        words, extras = _take_options(parser, before, words, folders, safe)
    args = parser.parse_args([*before, *words])
    args.extras = extras
    args.rest, args.plugins, args.safe_mode = rest, folders or None, safe or None
    return args


def _take_options(
    parser: Parser, before: Sequence[str], words: list[str], folders: Sequence[str], safe: bool
) -> tuple[list[str], dict[str, Any]]:
    """The words of `generate` without the options of plugins, and those; for its help, what plugins add to it."""
    from toolkit.commands import plugin_flags

    generate = parser.command("generate")
    wants_help = bool({"-h", "--help"} & set(words))
    strange = plugin_flags.unknown(words, generate)
    if not (strange or wants_help):
        return words, {}
    if not environment.ready("page"):
        names = [path.parent.name.replace("_", "-") for path in (environment.ROOT / "plugins").glob("*/plugin.toml")]
        if strange and all(flag.startswith(tuple(f"--{name}-" for name in names)) for flag in strange):
            at = min(number for number, word in enumerate(words) if word.partition("=")[0] in strange)
            words = words[:at]  # they are read once the packages are in
        return words, {}
    data = parser.parse_known_args([*before, *[word for word in words if word not in ("-h", "--help")]])[0]
    plugins = plugin_flags.opened(getattr(data, "data", None), folders, safe)
    if wants_help:
        generate.epilog = plugin_flags.about(plugins)
        generate.formatter_class = argparse.RawDescriptionHelpFormatter
    return plugin_flags.take(words, plugins)


def _take_plugins(words: Sequence[str]) -> tuple[list[str], bool, list[str]]:
    """The folders of every --plugins, whether there is a --safe-mode, and the other words.

    They are taken out first, because one may be given several times, before and after the command.
    """
    folders: list[str] = []
    others: list[str] = []
    ahead = iter(words)
    for word in ahead:
        if word == "--plugins":
            folder = next(ahead, None)
            if folder is None:
                others.append(word)
            else:
                folders.append(folder)
        elif word.startswith("--plugins="):
            folders.append(word.partition("=")[2])
        elif word == "--":
            return folders, "--safe-mode" in others, [*_without_safe(others), word, *ahead]
        else:
            others.append(word)
    return folders, "--safe-mode" in others, _without_safe(others)


def _without_safe(words: Sequence[str]) -> list[str]:
    return [word for word in words if word != "--safe-mode"]


def _commands_of_plugins(folders: Sequence[str]) -> set[str]:
    """Names of commands that plugins' manifests list; which of them may run is seen when they are loaded."""
    from toolkit.plugins.manifest import listed_commands

    return set(listed_commands([environment.ROOT / "plugins", *map(Path, folders)])) - set(COMMANDS)


def _take_shared(words: Sequence[str], *, stop: bool) -> tuple[list[str], list[str]]:
    """Divide `words` into the flags that every command shares, with their values, and the others.

    With `stop`, only those before the first other word are taken.
    """
    shared: list[str] = []
    others: list[str] = []
    place = 0
    while place < len(words):
        length = 2 if words[place] in _SHARED else 1
        if length == 2 or words[place].startswith(tuple(f"{flag}=" for flag in _SHARED)):
            shared += words[place : place + length]
        elif stop:
            return shared, list(words[place:])
        else:
            others.append(words[place])
        place += length
    return shared, others


def _parser() -> Parser:
    from toolkit import __version__

    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument(
        "--data", metavar="DIR", help="folder for pictures, database and settings (default: data, in this folder)"
    )
    shared.add_argument(
        "--torch-index", metavar="URL", help="fetch torch and torchvision from this package index from now on"
    )
    shared.add_argument(
        "--plugins", metavar="DIR", help="allow the plugins in this folder for this start; may be given several times"
    )
    shared.add_argument("--safe-mode", action="store_true", help="start without any plugin")
    parser = Parser(prog="launch.py", description=DESCRIPTION, parents=[shared])
    parser.add_argument("--version", action="version", version=f"Limner {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        try:
            module = command.load()
        except ImportError:  # until every part is written
            continue
        one = commands.add_parser(name, help=module.HELP, description=module.HELP, parents=[shared])
        module.add_arguments(one)
    return parser


def _run(args: argparse.Namespace, argv: Sequence[str]) -> int:
    command = COMMANDS[args.command]
    module = command.load()
    if hasattr(module, "check"):
        module.check(args, os.environ)
    needs = module.needs(args) if hasattr(module, "needs") else command.needs
    torch_index = getattr(args, "torch_index", None)
    if needs:
        environment.ensure(needs, torch_index=torch_index)
    elif not environment.ready("page"):
        return module.run(args, None)
    if not environment.inside():
        return environment.run_inside(argv)
    if not command.settings:
        return module.run(args, None)
    from toolkit.settings import load_settings

    settings = load_settings(**settings_flags(args))
    if settings.threads is not None:
        # Read by torch when it is imported, here or in the engine's process.
        os.environ["OMP_NUM_THREADS"] = str(settings.threads)
    return module.run(args, settings)


def settings_flags(args: argparse.Namespace) -> dict[str, Any]:
    """The flags of `args` that override settings, without those that were not given."""
    values = {name: getattr(args, name, None) for name in _SETTINGS}
    return {name: value for name, value in values.items() if value is not None}
