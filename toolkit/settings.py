"""The studio's settings: defaults < settings.toml in the data folder < LIMNER_* environment variables < flags."""

from __future__ import annotations

import ipaddress
import os
import tempfile
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from toolkit.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
MODELS = ROOT / "models" / "checkpoints"
FILE = "settings.toml"
PREFIX = "LIMNER_"

Limit = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """Every setting of a studio. `models` are further folders of models; the checkout's own is always the first.

    `plugins` are folders whose plugins are allowed for this start, beside those in the studio's own folder; with
    `safe_mode` no plugin is loaded. `port` None is the next free one from 7860, `threads` None is what torch chooses.
    `attention` is how the denoiser attends: the device's fastest way, plainly, or in slices that need little memory.
    The fields from `visitor_pixels` on are the limits of `toolkit.admission.Limits`; None leaves its default.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=False)

    data: Path = DATA
    models: Annotated[tuple[Path, ...], NoDecode, Field(validate_default=True)] = ()
    plugins: Annotated[tuple[Path, ...], NoDecode] = ()
    safe_mode: bool = False
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    attention: Literal["auto", "plain", "sliced"] = "auto"
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    visitor_pixels: Limit | None = None
    visitor_steps: Limit | None = None
    visitor_count: Limit | None = None
    visitor_work: Annotated[float, Field(gt=0)] | None = None
    visitor_prompt: Limit | None = None
    visitor_pending: Limit | None = None
    owner_pixels: Limit | None = None
    owner_work: Annotated[float, Field(gt=0)] | None = None
    owner_pending: Limit | None = None
    max_pending: Limit | None = None

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:  # fmt: skip
        flags = dict(init_settings.init_kwargs) if isinstance(init_settings, InitSettingsSource) else {}
        from_file = InitSettingsSource(settings_cls, flags.pop("_from_file", {}))
        return InitSettingsSource(settings_cls, flags), env_settings, from_file

    @field_validator("data", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return Path(os.path.abspath(value.expanduser()))

    @field_validator("models", "plugins", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        """One string holds several folders as PATH does; a list is one folder each."""
        if isinstance(value, (str, os.PathLike)):
            value = [part for part in os.fspath(value).split(os.pathsep) if part]
        return value

    @field_validator("models", mode="after")
    @classmethod
    def _existing(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        folders = tuple(Path(os.path.abspath(folder.expanduser())) for folder in value)
        for folder in folders:
            if not folder.is_dir():
                raise ValueError(f"there is no folder {folder}")
        return (MODELS, *(folder for folder in folders if folder != MODELS))

    @field_validator("plugins", mode="after")
    @classmethod
    def _plugin_folders(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        folders = tuple(Path(os.path.abspath(folder.expanduser())) for folder in value)
        for folder in folders:
            if not folder.is_dir():
                raise ValueError(f"there is no folder {folder}")
        return folders

    @field_validator("host", mode="after")
    @classmethod
    def _loopback(cls, value: str) -> str:
        if not is_loopback(value):
            raise ValueError("the page opens on this machine only, so the host must be 127.0.0.1, localhost or ::1")
        return value


def load_settings(**flags: Any) -> Settings:
    """The settings of this start; flags that are None were not given. Makes the data folder.

    Raises SettingsError, in one sentence, for a wrong value, wherever it stands, and for a folder that can't be used.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    data = Path(os.path.abspath(Path(given.get("data") or os.environ.get(f"{PREFIX}DATA") or DATA).expanduser()))
    _usable(data)
    from_file = _read(data / FILE)
    _known_variables()
    try:
        return Settings(_from_file=from_file, **given)
    except ValidationError as error:
        _refuse(error, given, from_file, data / FILE)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _usable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(
            f"The data folder {folder} can't be used ({error.strerror or error}): choose another one with --data."
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} can't be read ({getattr(error, 'strerror', None) or 'it is not UTF-8 text'}).")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {str(error).rstrip('.')}.")
    if "data" in values:
        raise SettingsError(f"{path} lies in the data folder and can't name another one: use --data or {PREFIX}DATA.")
    if "plugins" in values:
        # Their code would run for whoever can write a file there: docs/decisions/0009.
        raise SettingsError(
            f"{path} can't allow plugins, because their code runs with your rights: name {values['plugins']!r} with "
            f"--plugins or {PREFIX}PLUGINS for a start, or add it for good with `python3 launch.py plugins add FOLDER`."
        )
    return values


def _known_variables() -> None:
    """A mistyped variable would be passed over in silence."""
    for name in os.environ:
        field = name.upper().removeprefix(PREFIX).lower()
        if name.upper().startswith(PREFIX) and field not in Settings.model_fields:
            raise SettingsError(f"There is no setting for the environment variable {name}. {_names()}")


def _names() -> str:
    return f"Settings are: {', '.join(sorted(Settings.model_fields))}."


def _refuse(error: ValidationError, given: dict[str, Any], from_file: dict[str, Any], path: Path) -> NoReturn:
    """Turn pydantic's first finding into a sentence that says where the wrong value stands."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "settings"
    if first["type"] == "extra_forbidden":
        where = f"{path}, line {_line(path, name)}" if name in from_file else "The call"
        raise SettingsError(f"{where}: there is no setting “{name}”. {_names()}")
    variable = f"{PREFIX}{name.upper()}"
    if name in given:
        where = f"--{name.replace('_', '-')}"
    elif variable in os.environ:
        where = f"The environment variable {variable}"
    else:
        where = f"{path}, line {_line(path, name)}: “{name}”"
    reason = first["msg"].removeprefix("Value error, ").replace("Input should", "it should").split(", unable")[0]
    raise SettingsError(f"{where} is {first['input']!r}, which won't work: {reason.rstrip('.')}.")


def _line(path: Path, name: str) -> int:
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if line.split("=")[0].strip().strip("\"'[]") == name:
            return number
    return 1
