"""Styles and sizes: what applies to a prompt, in which order, and what happens to files with mistakes."""

from pathlib import Path

import pytest

from toolkit.geometry import Size
from toolkit.styles import NamedSize, StyleLibrary, load_sizes

PRESETS = Path(__file__).resolve().parents[2] / "presets"

GOOD = """
[style.one]
name = "One"
group = "G"
description = "The first."
prompt = "{prompt}, seen as {prompt}"
negative = "bad"

[style.two]
name = "Two"
group = "G"
description = "The second."
prompt = "gold frame"
negative = "worse"
"""


@pytest.fixture
def library(tmp_path):
    (tmp_path / "good.toml").write_text(GOOD, "utf-8")
    return StyleLibrary([tmp_path])


def test_every_place_for_the_prompt_is_filled(library):
    assert library.apply("a cat", "", ["one"]) == ("a cat, seen as a cat", "bad")


def test_a_style_without_a_place_follows_the_prompt(library):
    assert library.apply("a cat", "rain", ["two"]) == ("a cat, gold frame", "rain, worse")
    assert library.apply("a cat, ", "", ["two"]) == ("a cat, gold frame", "worse")


def test_styles_are_applied_in_the_order_of_their_ids(library):
    assert library.apply("a cat", "", ["two", "one"])[0] == "a cat, gold frame, seen as a cat, gold frame"
    assert library.apply("a cat", "", ["one", "two"])[0] == "a cat, seen as a cat, gold frame"


def test_no_styles_leave_the_text_alone(library):
    assert library.apply(" a cat,", "  x", []) == (" a cat,", "  x")


def test_braces_of_the_person_are_text(library):
    assert library.apply("{prompt} {0} {x!r}", "", ["one"])[0] == "{prompt} {0} {x!r}, seen as {prompt} {0} {x!r}"


def test_an_unknown_id_is_a_key_error(library):
    with pytest.raises(KeyError):
        library.apply("a cat", "", ["three"])


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('[style.x]\nname = "X\n', 2, "skipped"),
        ('[style.x]\nname = "X"\ngroup = "G"\ndescription = "D"\n', 1, "no prompt"),
        ('[style.x]\nname = "X"\ngroup = "G"\ndescription = "D"\nprompt = "p"\ncolour = 3\n', 6, "colour"),
        ('\n\n[style."Has Space"]\nname = "X"\n', 3, "small letters"),
        ('[style.x]\nname = 5\ngroup = "G"\ndescription = "D"\nprompt = "p"\n', 1, "name must be text"),
        ('[style.x]\nname="X"\ngroup="G"\ndescription="D"\nprompt="p"\npreview="../../etc/a.png"\n', 1, "preview"),
        ("styles = 3\n", 1, "[style.some-id]"),
        ("[style.x\n", 1, "skipped"),
    ],
)
def test_a_mistake_is_named_with_file_and_line_and_the_rest_works(tmp_path, text, line, reason):
    (tmp_path / "a-bad.toml").write_text(text, "utf-8")
    (tmp_path / "good.toml").write_text(GOOD, "utf-8")
    library = StyleLibrary([tmp_path])
    assert list(library.styles) == ["one", "two"]
    assert len(library.problems) == 1
    assert library.problems[0].startswith(f"a-bad.toml, line {line}: ")
    assert reason in library.problems[0]


def test_one_bad_style_doesn_t_take_its_neighbours_along(tmp_path):
    (tmp_path / "mixed.toml").write_text(GOOD + '\n[style.three]\nname = "Three"\n', "utf-8")
    library = StyleLibrary([tmp_path])
    assert list(library.styles) == ["one", "two"]
    assert library.problems == ["mixed.toml, line 16: the style “three” was skipped: it has no group."]


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "a.toml").write_bytes(b'# fine\n[style.x]\nname = "\xff\xfe"\n')
    assert StyleLibrary([tmp_path]).problems == ["a.toml, line 3: the file is not UTF-8 text and was skipped."]


def test_a_missing_folder_has_no_styles_and_no_problems(tmp_path):
    library = StyleLibrary([tmp_path / "nowhere"])
    assert library.styles == {} and library.problems == []


def test_a_later_folder_replaces_a_style(tmp_path):
    for name, prompt in (("first", "{prompt} a"), ("second", "{prompt} b")):
        (tmp_path / name).mkdir()
        text = f'[style.x]\nname = "X"\ngroup = "G"\ndescription = "D"\nprompt = "{prompt}"\n'
        (tmp_path / name / "x.toml").write_text(text, "utf-8")
    library = StyleLibrary([tmp_path / "first", tmp_path / "second"])
    assert library.apply("p", "", ["x"])[0] == "p b"


def test_a_preview_is_a_file_beside_its_style(tmp_path):
    text = '[style.x]\nname="X"\ngroup="G"\ndescription="D"\nprompt="p"\npreview="x.webp"\n'
    (tmp_path / "x.toml").write_text(text, "utf-8")
    assert StyleLibrary([tmp_path]).styles["x"].preview_path is None
    (tmp_path / "x.webp").write_bytes(b"RIFF")
    assert StyleLibrary([tmp_path]).styles["x"].preview_path == tmp_path / "x.webp"


def test_the_shipped_styles_are_whole():
    library = StyleLibrary([PRESETS / "styles"])
    assert library.problems == []
    assert len(library.styles) >= 16
    assert len({style.name for style in library.styles.values()}) == len(library.styles)
    assert all("{prompt}" in style.prompt for style in library.styles.values())


def test_the_shipped_sizes_are_whole_and_usable():
    problems = []
    sizes = load_sizes(PRESETS / "sizes.toml", problems)
    assert problems == []
    assert len(sizes) == 12 and len({size.name for size in sizes}) == 12
    for native, multiple in (((256, 256), 8), ((512, 512), 8), ((1024, 1024), 64)):
        for named in sizes:
            size = named.at(native, multiple)
            assert size == size.snap(multiple) and min(size) >= 8 * multiple
            shape = named.ratio[0] / named.ratio[1]
            assert size.width / size.height == pytest.approx(shape, rel=0.1), named.name
            assert size.pixels == pytest.approx(native[0] * native[1] * named.area, rel=0.15), named.name


def test_a_shape_is_true_on_a_coarse_grid():
    portrait = NamedSize("Portrait", "", "", (4, 5))
    assert portrait.at((256, 256), 8) == Size(224, 280)
    assert NamedSize("Square", "", "", (1, 1)).at((768, 768), 64) == Size(768, 768)


@pytest.mark.parametrize("value", ['"4:0"', '"wide"', "4", '"100:1"', '"1:2:3"'])
def test_a_wrong_ratio_is_named_with_its_line(tmp_path, value):
    path = tmp_path / "sizes.toml"
    fine = '[size.fine]\nname = "Fine"\nratio = "1:1"\n'
    path.write_text(f'\n[size.odd]\nname = "Odd"\nratio = {value}\n\n{fine}', "utf-8")
    problems = []
    assert [size.name for size in load_sizes(path, problems)] == ["Fine"]
    assert problems[0].startswith("sizes.toml, line 2: the size “odd” was skipped: its ratio is ")
