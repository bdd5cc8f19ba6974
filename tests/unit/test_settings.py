from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.errors import SettingsError
from toolkit.settings import MODELS, load_settings


def write(data: Path, text: str) -> None:
    (data / "settings.toml").write_text(text, encoding="utf-8")


def test_each_source_overrides_the_one_before(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(data=data).port is None
    write(data, "port = 7001\nthreads = 3\nvisitor_steps = 20\n")
    assert load_settings(data=data).port == 7001
    monkeypatch.setenv("LIMNER_PORT", "7002")
    monkeypatch.setenv("LIMNER_THREADS", "2")
    settings = load_settings(data=data, port=7003, dtype=None)
    assert (settings.port, settings.threads, settings.visitor_steps, settings.dtype) == (7003, 2, 20, "auto")


def test_the_data_folder_comes_from_the_variable_and_the_flag_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path / "from variable"))
    (tmp_path / "from variable").mkdir()
    write(tmp_path / "from variable", "port = 7001\n")
    assert load_settings().data == tmp_path / "from variable"
    assert load_settings().port == 7001
    flagged = load_settings(data=tmp_path / "from flag")
    assert (flagged.data, flagged.port) == (tmp_path / "from flag", None)
    assert flagged.data.is_dir()


def test_model_folders_are_added_to_the_checkouts_own(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    assert load_settings(data=data).models == (MODELS,)
    write(data, f"models = ['{one}', '{two}']\n")
    assert load_settings(data=data).models == (MODELS, one, two)
    monkeypatch.setenv("LIMNER_MODELS", str(two))
    assert load_settings(data=data).models == (MODELS, two)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\nport = \n", "line 2"),
        ("threads = 2\nport = 'many'\n", "line 2: “port” is 'many'"),
        ("visitor_steps = 0\n", "greater than or equal to 1"),
        ("\n\ncolour = 'red'\n", "line 3: there is no setting “colour”"),
        ("dtype = 'half'\n", "'auto', 'float32', 'float16' or 'bfloat16'"),
        ("data = '/elsewhere'\n", "use --data or LIMNER_DATA"),
        ("plugins = ['/elsewhere']\n", "name ['/elsewhere'] with --plugins"),
        ("plugins = []\n", "plugins add FOLDER"),
        ("models = ['/no/such/folder']\n", "there is no folder /no/such/folder"),
        ("models = 3\n", "“models” is 3"),
        ("host = '0.0.0.0'\n", "this machine only"),
        ("[port]\nnumber = 3\n", "line 1: “port”"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(data: Path, text: str, said: str) -> None:
    write(data, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(data=data)
    assert said in str(caught.value) and "settings.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(data: Path) -> None:
    (data / "settings.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_settings(data=data)


def test_a_file_saved_with_a_byte_order_mark_is_read(data: Path) -> None:
    (data / "settings.toml").write_bytes(b"\xef\xbb\xbfport = 7005\n")
    assert load_settings(data=data).port == 7005


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"port": 70000}, "--port is 70000"),
        ({"threads": 0}, "--threads is 0"),
        ({"host": "192.168.1.5"}, "this machine only"),
        ({"host": "example.org"}, "this machine only"),
    ],
)
def test_a_wrong_flag_is_named(data: Path, flags: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load_settings(data=data, **flags)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "localhost", "::1"])
def test_every_loopback_host_is_accepted(data: Path, host: str) -> None:
    assert load_settings(data=data, host=host).host == host


def test_a_wrong_or_unknown_variable_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_PORT", "lots")
    with pytest.raises(SettingsError, match="variable LIMNER_PORT is 'lots'"):
        load_settings(data=data)
    monkeypatch.delenv("LIMNER_PORT")
    monkeypatch.setenv("LIMNER_PROT", "7000")
    with pytest.raises(SettingsError, match="LIMNER_PROT"):
        load_settings(data=data)


def test_a_data_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(SettingsError, match="choose another one with --data"):
            load_settings(data=folder)
