"""Every hook: documented, and called as its first word says; a plugin that fails is skipped, named, and at last off."""

from __future__ import annotations

import io
import logging
import re
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.plugin_makers import HEAD, write
from tests.unit.plugin_makers import load as load_all
from toolkit.adapters import ControlUse
from toolkit.errors import PluginError, RequestError
from toolkit.finishing import FinishStep
from toolkit.jobs import JobEvent, JobState
from toolkit.plugins import calls, hookspecs
from toolkit.plugins.loading import REGISTERS, load, load_ui, new_manager, unload
from toolkit.plugins.plugins import Plugins
from toolkit.plugins.states import Plugin, Source, State
from toolkit.request import GenerationRequest, Written

ROOT = Path(__file__).resolve().parents[2]
HOOKS = sorted(name for name in dir(hookspecs) if hasattr(getattr(hookspecs, name), "limner_spec"))
RED = Image.new("RGB", (8, 6), (200, 10, 10))
FAILING = "@hookimpl\ndef {hook}({args}): raise ValueError('no')"


def request(**changes: object) -> GenerationRequest:
    return GenerationRequest("a fox", seed=7).with_(**changes)


def steps(*names: str) -> tuple[FinishStep, ...]:
    return tuple(FinishStep(name) for name in names)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_how_answers_combine_and_shows_an_example(hook: str) -> None:
    doc = getattr(hookspecs, hook).__doc__
    assert doc.split(".")[0] in {"Collect", "Chain", "First", "Notify"}
    assert "@hookimpl" in doc
    assert f"def {hook}(" in doc


@pytest.mark.parametrize("hook", HOOKS)
def test_every_example_is_a_plugin(hook: str, tmp_path: Path) -> None:
    example = textwrap.dedent("\n".join(re.findall(r"^ {8}.*$|^$", getattr(hookspecs, hook).__doc__, re.M)))
    tabs = hook == "register_tabs"
    folder = write(tmp_path, "example", None if tabs else example)
    if tabs:
        (folder / "ui.py").write_text(HEAD + example, "utf-8")
    plugin = Plugin("example", folder, Source.GIVEN, module="limner_plugins.example")
    manager = new_manager()
    given = load(manager, plugin)
    assert plugin.state is State.ACTIVE, plugin.reason
    given = {hook: load_ui(manager, plugin)} if tabs else given
    assert given.get(hook) or (getattr(manager.hook, hook).get_hookimpls() and hook not in REGISTERS)
    unload(manager, plugin)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_test_of_its_own(hook: str) -> None:
    tests = (ROOT / "tests").rglob("test_*.py")
    assert any(f"def test_{hook}_" in path.read_text("utf-8") for path in tests)


def test_register_styles_by_code(tmp_path: Path) -> None:
    source = "@hookimpl\ndef register_styles():\n    yield Style('cut', 'Cut', 'G', 'D', '{prompt}, cut')"
    plugins = load_all(tmp_path, a=source)
    assert [style.around("fox") for style in plugins.registry.styles()] == ["fox, cut"]
    assert plugins.get("a").provides == ["style cut"]


def test_register_prompt_transforms_are_seeded_and_ordered(tmp_path: Path) -> None:
    source = (
        "@hookimpl\ndef register_prompt_transforms():\n"
        "    yield PromptTransform('late', 'L', lambda t, r, c: t + '!', order=2)\n"
        "    yield PromptTransform('early', 'E', lambda t, r, c: t + str(r.randrange(999)), ('prompt',), order=1)"
    )
    plugins = load_all(tmp_path, a=source)
    first, again, other = (calls.prepare(plugins, request(seed=seed)) for seed in (7, 7, 8))
    assert first.prompt.startswith("a fox")
    assert first.prompt.endswith("!")
    assert first.prompt[5:-1].isdigit()
    assert first == again != other.with_(seed=7)
    assert (first.negative, first.written) == ("!", Written("a fox", ""))


def test_register_upscalers_have_their_factor_as_an_option(tmp_path: Path) -> None:
    source = (
        "@hookimpl\ndef register_upscalers():\n"
        "    yield Upscaler('big', 'Big',"
        " lambda i, s, o, c: i.resize((int(i.width * s), int(i.height * s))), (2.0, 4.0))"
    )
    plugins = load_all(tmp_path, a=source)
    asked = calls.prepare(plugins, request(finish=(FinishStep("big", {"scale": 4}),)))
    assert calls.finish(plugins, RED, asked).image.size == (32, 24)
    assert calls.finish(plugins, RED, request(finish=steps("big"))).image.size == (16, 12)
    with pytest.raises(RequestError, match="from 2 to 4"):
        calls.prepare(plugins, request(finish=(FinishStep("big", {"scale": 9}),)))


def test_register_postprocessors_run_in_the_order_of_the_request(tmp_path: Path) -> None:
    source = (
        "from PIL import Image\n@hookimpl\ndef register_postprocessors():\n"
        "    yield Postprocessor('grow', 'G', lambda i, o, c: i.resize((i.width + o['by'], i.height)),"
        " (Number('by', 'By', 1, 0, 9, whole=True),))\n"
        "    yield Postprocessor('double', 'D', lambda i, o, c: i.resize((i.width * 2, i.height)))"
    )
    plugins = load_all(tmp_path, a=source)
    asked = (FinishStep("grow", {"by": "3"}), FinishStep("double"))
    clean = calls.prepare(plugins, request(finish=asked))
    assert clean.finish[0].options == {"by": 3}
    assert calls.finish(plugins, RED, clean).image.width == 22
    assert calls.finish(plugins, RED, request(finish=clean.finish[::-1])).image.width == 19
    assert GenerationRequest.from_dict(clean.to_dict()) == clean
    with pytest.raises(RequestError, match="no finishing step “blur”; there are double, grow"):
        calls.prepare(plugins, request(finish=steps("blur")))
    with pytest.raises(RequestError, match=r"no option “much” in finish\.grow: it has by"):
        calls.prepare(plugins, request(finish=(FinishStep("grow", {"much": 1}),)))


def test_register_options_arrive_in_the_request(tmp_path: Path) -> None:
    plugins = load_all(tmp_path, a="@hookimpl\ndef register_options():\n    yield Toggle('on', 'On')")
    assert calls.prepare(plugins, request(extras={"a": {"on": "yes"}})).extras == {"a": {"on": True}}
    with pytest.raises(RequestError, match="no active plugin “b”"):
        calls.prepare(plugins, request(extras={"b": {}}))


def test_register_settings_reach_hooks_and_callables(tmp_path: Path) -> None:
    source = (
        "@hookimpl\ndef register_settings():\n    yield Text('credit', 'Credit', 'nobody')\n"
        "@hookimpl\ndef describe_image(settings): return {'credit': settings['credit']}"
    )
    plugins = load_all(tmp_path, a=source)
    assert calls.describe(plugins, request(), RED) == {"plugins": ["a 1.0"], "a.credit": "nobody"}
    plugins.set("a", {"credit": "Mo"})
    assert calls.describe(plugins, request(), RED)["a.credit"] == "Mo"
    with pytest.raises(RequestError, match="no option “colour”"):
        plugins.set("a", {"colour": "red"})


def test_register_commands_are_found_by_name(tmp_path: Path) -> None:
    source = "@hookimpl\ndef register_commands(): yield Command('hi', 'say hi', lambda s, w, o: len(w))"
    plugins = load_all(tmp_path, a=source)
    assert plugins.registry.commands()["hi"].noun.run(None, ["x", "y"], {}) == 2


def test_prepare_request_is_a_chain(tmp_path: Path) -> None:
    plugins = load_all(
        tmp_path,
        a="@hookimpl\ndef prepare_request(request): return request.with_(prompt=request.prompt + '!')",
        b=FAILING.format(hook="prepare_request", args="request"),
        c="@hookimpl\ndef prepare_request(): return 5",
        d="@hookimpl\ndef prepare_request(request): return request.with_(prompt=request.prompt + '?')",
    )
    assert calls.prepare(plugins, request()).prompt == "a fox!?"
    assert plugins.get("b").reason == "ValueError: no (__init__.py, line 3)"
    assert "gave 5" in plugins.get("c").reason


def test_prepare_request_may_refuse(tmp_path: Path) -> None:
    plugins = load_all(tmp_path, a="@hookimpl\ndef prepare_request(): raise RequestError('prompt', 'Not here.')")
    with pytest.raises(RequestError, match="Not here"):
        calls.prepare(plugins, request())
    assert plugins.get("a").errors == 0


def test_patch_denoiser_surrounds_the_calls_of_jobs_that_asked(tmp_path: Path) -> None:
    source = (
        "from contextlib import contextmanager\n@contextmanager\ndef patched(d):\n    d.append('in')\n    yield\n"
        "    d.append('out')\n@hookimpl\ndef register_options(): yield Toggle('on', 'On')\n"
        "@hookimpl\ndef patch_denoiser(denoiser, request): return patched(denoiser)"
    )
    plugins = load_all(tmp_path, a=source, b=FAILING.format(hook="patch_denoiser", args="denoiser"))
    assert calls.denoising(plugins, [], request()) is None
    said: list[str] = []
    around = calls.denoising(plugins, said, request(extras={"a": {}, "b": {}}))
    for _ in range(2):
        with around():
            said.append("call")
    assert said == ["in", "call", "out"] * 2
    assert plugins.get("b").errors == 2


def test_patch_denoiser_may_fail_on_the_way_out(tmp_path: Path) -> None:
    source = (
        "from contextlib import contextmanager\n@contextmanager\ndef patched(d):\n    d.append('in')\n    yield\n"
        "    raise OSError('stuck')\n@hookimpl\ndef patch_denoiser(denoiser): return patched(denoiser)"
    )
    plugins = load_all(tmp_path, a=source)
    said: list[str] = []
    around = calls.denoising(plugins, said, request(extras={"a": {}}))
    for _ in range(4):
        with around():
            said.append("call")
    assert said == ["in", "call"] * 3 + ["call"], "after three errors it is left out, in the middle of the job too"
    assert plugins.get("a").state is State.FAILED
    assert "OSError: stuck" in plugins.get("a").reason


def test_patch_denoiser_is_left_when_the_denoiser_fails(tmp_path: Path) -> None:
    source = (
        "from contextlib import contextmanager\n@contextmanager\ndef patched(d):\n    yield\n    d.append('out')\n"
        "@hookimpl\ndef patch_denoiser(denoiser): return patched(denoiser)"
    )
    plugins, said = load_all(tmp_path, a=source), []
    with pytest.raises(MemoryError), calls.denoising(plugins, said, request(extras={"a": {}}))():
        raise MemoryError
    assert (said, plugins.get("a").errors) == (["out"], 0)


def test_review_image_takes_the_strictest_and_fails_closed(tmp_path: Path) -> None:
    plugins = load_all(
        tmp_path,
        a="@hookimpl\ndef review_image(image): return Review('blur', 'red') if image.width > 7 else None",
        b="@hookimpl\ndef review_image(request): return Review('block', 'fox') if 'fox' in request.prompt else None",
        c="@hookimpl\ndef review_image(request): return 1 / 0 if 'bug' in request.prompt else None",
    )
    assert calls.review(plugins, RED, request()).verdict == "block"
    assert calls.review(plugins, RED, request(prompt="x")).reason == "red"
    broken = calls.review(plugins, RED, request(prompt="bug"))
    assert (broken.verdict, "“c”" in broken.reason) == ("block", True)


def test_review_image_of_a_plugin_that_is_switched_off_still_holds(tmp_path: Path) -> None:
    plugins = load_all(tmp_path, a=FAILING.format(hook="review_image", args=""))
    verdicts = [calls.review(plugins, RED, request()).verdict for _ in range(5)]
    assert verdicts == ["block"] * 5, "a reviewer that fails must not let pictures through once it is off"
    assert plugins.get("a").state is State.FAILED


def test_describe_image_stands_under_the_plugins_name(tmp_path: Path) -> None:
    plugins = load_all(tmp_path, a="@hookimpl\ndef describe_image(request): return {'words': len(request.prompt)}")
    assert calls.describe(plugins, request(), RED)["a.words"] == "5"


def test_sign_file_chains_and_undoes_what_spoils_the_picture(tmp_path: Path) -> None:
    add = (
        "from PIL import Image\nfrom PIL.PngImagePlugin import PngInfo\n@hookimpl\ndef sign_file(path):\n"
        "    with Image.open(path) as i:\n        i.load()\n        info = PngInfo()\n"
        "        for k, v in i.text.items(): info.add_text(k, v)\n        info.add_text('{0}', 'signed')\n"
        "        i.save(path, pnginfo=info)"
    )
    plugins = load_all(
        tmp_path, a=add.format("one"), b="@hookimpl\ndef sign_file(path): path.write_bytes(b'x')",
        c="@hookimpl\ndef sign_file(path): path.unlink()", d=add.format("two"),
    )  # fmt: skip
    file = io.BytesIO()
    RED.save(file, "PNG")
    with Image.open(io.BytesIO(calls.sign(plugins, file.getvalue(), request()))) as signed:
        assert signed.text == {"one": "signed", "two": "signed"}
        assert signed.tobytes() == RED.tobytes()
    assert (plugins.get("b").errors, plugins.get("c").errors) == (1, 1)


def test_on_event_is_told_to_all(tmp_path: Path) -> None:
    plugins = load_all(
        tmp_path,
        a=FAILING.format(hook="on_event", args="event"),
        b="SEEN = []\n@hookimpl\ndef on_event(event): SEEN.append(event.state.value)",
    )
    calls.notify(plugins, JobEvent("1", JobState.QUEUED))
    assert plugins.registry.manager.get_plugin("b").SEEN == ["queued"]
    assert plugins.get("a").errors == 1


def test_a_plugin_is_off_after_three_errors(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = "@hookimpl\ndef register_postprocessors(): yield Postprocessor('bad', 'Bad', lambda i, o, c: 1 / 0)"
    plugins = load_all(tmp_path, a=source)
    told: list[int] = []
    plugins.add_listener(lambda: told.append(1))
    with caplog.at_level(logging.CRITICAL):
        for _ in range(3):
            done = calls.finish(plugins, RED, request(finish=steps("bad")))
            assert done.image is RED
            assert done.notes[0].startswith("“Bad” failed and was left out: ")
            assert "ZeroDivisionError: division by zero" in done.notes[0]
    assert plugins.get("a").state is State.FAILED
    assert "switched off after 3 errors" in plugins.get("a").reason
    assert told == [1]
    assert "not there any more" in calls.finish(plugins, RED, request(finish=steps("bad"))).notes[0]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("None", "gave None: it must return a picture"),
        ("np.zeros((4, 4, 3), 'uint8')", "gave ndarray, but must give a picture of Pillow; Image.fromarray makes one"),
        ("'x.png'", "gave str, but must give a picture of Pillow."),
    ],
)
def test_what_is_no_picture_is_named_and_left_out(tmp_path: Path, answer: str, said: str) -> None:
    source = (
        f"import numpy as np\ndef run(image, options, context): return {answer}\n"
        "@hookimpl\ndef register_postprocessors(): yield Postprocessor('x', 'X', run)\n"
        "@hookimpl\ndef register_preprocessors(): yield Preprocessor('x', 'X', run)"
    )
    plugins = load_all(tmp_path, a=source)
    done = calls.finish(plugins, RED, request(finish=steps("x")))
    assert done.image is RED and said in done.notes[0]
    with pytest.raises(PluginError, match=r"“X” failed: .*the preprocessor “x” gave"):
        calls.preprocess(plugins, ControlUse("any", "0" * 64, preprocessor="x"), RED, request())


def test_no_plugins_change_nothing(tmp_path: Path) -> None:
    plugins = Plugins.none(tmp_path)
    assert calls.prepare(plugins, request()) == request()
    assert calls.finish(plugins, RED, request()).image is RED
    assert calls.review(plugins, RED, request()).verdict == "allow"
    assert calls.describe(plugins, request(), RED) == {}
    assert calls.sign(plugins, b"as it is", request()) == b"as it is"


def test_the_guard_costs_little(tmp_path: Path) -> None:
    plugins = load_all(tmp_path, a="@hookimpl\ndef on_event(event): pass")
    [(plugin, implementation)] = plugins.registry.implementations("on_event")

    def per_call(work) -> float:
        best = 1.0
        for _ in range(7):
            began = time.perf_counter()
            for _ in range(2000):
                work()
            best = min(best, (time.perf_counter() - began) / 2000)
        return best

    args = {"event": None, "settings": {}}
    guarded = per_call(lambda: plugins.guard.hook(plugin, implementation, args))
    direct = per_call(lambda: implementation.function(None))
    assert guarded - direct < 5e-6


def test_register_tabs_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    plugins = load_all(tmp_path, a="")
    (tmp_path / "given" / "a" / "ui.py").write_text(
        "from toolkit.plugins.api import Tab, hookimpl\n@hookimpl\n"
        "def register_tabs(): yield Tab('hello', 'Hello', lambda studio: 5)",
        "utf-8",
    )
    [tab] = plugins.registry.load_tabs(plugins.get("a"))
    assert (tab.label, tab.build(None)) == ("Hello", 5)


def test_register_preprocessors_make_control_pictures(tmp_path: Path) -> None:
    source = (
        "@hookimpl\ndef register_preprocessors():\n"
        "    yield Preprocessor('grey', 'Grey', lambda i, o, c: i.convert('L'), (Number('by', 'By', 1, 0, 5),))"
    )
    plugins = load_all(tmp_path, a=source)
    use = ControlUse("lines", "0" * 64, preprocessor="grey")
    asked = calls.check_preprocessors(plugins, request(controls=(use,)))
    made = calls.preprocess(plugins, asked.controls[0], RED, asked)
    assert made.mode == "RGB" and len(set(made.getpixel((0, 0)))) == 1
    with pytest.raises(RequestError, match="there are none, grey"):
        calls.check_preprocessors(plugins, request(controls=(replace(use, preprocessor="gold"),)))
    with pytest.raises(RequestError, match="from 0 to 5"):
        calls.check_preprocessors(plugins, request(controls=(replace(use, options={"by": 9}),)))


def test_register_controls_name_kinds_once(tmp_path: Path) -> None:
    source = "@hookimpl\ndef register_controls():\n    yield Control('grey', 'Grey', ('grey',), 'grey')"
    plugins = load_all(tmp_path, a=source, b=source)
    assert [kind.words for kind in plugins.registry.controls().values()] == [("grey",)]
    assert any("“grey”" in problem for problem in plugins.registry.problems)
