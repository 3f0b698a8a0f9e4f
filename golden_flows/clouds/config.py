"""Finds clouds in clouds.yaml and reads what a deployer says of them under ``interop:``."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml
from keystoneauth1 import exceptions as auth_errors
from openstack import exceptions as sdk_errors
from openstack.config import OpenStackConfig, loader

from golden_flows.errors import UsageError, shorten
from golden_flows.model.agent_channels import CHANNELS
from golden_flows.model.cloud import Profile
from golden_flows.model.evidence import EvidenceLevel

EVIDENCE_LEVELS = {
    "real": EvidenceLevel.REAL_CLOUD,
    "hypervisor": EvidenceLevel.REAL_HYPERVISOR,
    "emulated": EvidenceLevel.EMULATED,
}
"""What a deployer writes; the enum's own words are taken as well."""

AUTH_WAYS = ("key", "password", "password-post")
KEY_TYPES = ("rsa", "ed25519")


@dataclass(frozen=True)
class CloudConfig:
    """An entry of clouds.yaml, ready to connect to. Its ``repr`` holds no secret."""

    name: str
    profile: Profile
    source_file: str
    """The clouds.yaml that the entry came from; printed by the run."""
    region: str | None
    own_image: str | None
    """The image that the entry names, whatever a run starts from."""
    _region_config: Any = field(repr=False, compare=False)
    """openstacksdk's CloudRegion; holds secrets, so it is in no repr."""

    @property
    def auth_url(self) -> str:
        return str((self._region_config.config.get("auth") or {}).get("auth_url") or "")

    def starting_from(self, image: str) -> CloudConfig:
        """The same cloud, on which Anne starts from another image than its profile names."""
        return replace(self, profile=replace(self.profile, image=image))


def load_clouds(names: Iterable[str], extra_files: Sequence[Path] = ()) -> dict[str, CloudConfig]:
    """These clouds, by name, in the order asked. The user's own clouds.yaml wins over ``extra_files``.

    Raises ``UsageError`` for a name that no file has (naming those that exist), broken YAML, or missing fields.
    """
    sources = _sources(extra_files)
    found: dict[str, CloudConfig] = {}
    for name in names:
        source = next((one for one in sources if name in _names(one)), None)
        if source is None:
            raise _unknown_cloud(name, sources)
        found[name] = _read_entry(name, source)
    return found


def load_again(name: str, source_file: str, auth_url: str) -> CloudConfig:
    """The cloud ``name`` that an earlier run used: from the file it used, else from wherever it is found now.

    Raises ``UsageError`` when it is found nowhere, or when another file has another cloud of that name (other
    ``auth_url``): what the run made is not there, and must not be taken for gone.
    """
    file = Path(source_file)
    config = load_clouds([name], [file] if file.is_file() else [])[name]
    if config.source_file != source_file and file.is_file() and name in _names(_extra_source(file)):
        config = _read_entry(name, _extra_source(file))
    if config.source_file != source_file and auth_url and config.auth_url != auth_url:
        raise UsageError(
            f"cloud {name!r} is {config.auth_url} in {config.source_file}, and was {auth_url} then",
            f"point OS_CLIENT_CONFIG_FILE at a clouds.yaml with the one of then (it was in {source_file})",
        )
    return config


def known_cloud_names(extra_files: Sequence[Path] = ()) -> tuple[str, ...]:
    """Every name of the user's clouds.yaml and of ``extra_files``, sorted."""
    return tuple(sorted({name for source in _sources(extra_files) for name in _names(source)}))


def _sources(extra_files: Sequence[Path]) -> list[OpenStackConfig]:
    """The user's configuration first, then each extra file."""
    override = os.environ.get("OS_CLIENT_CONFIG_FILE")
    if override and not Path(override).exists():
        raise UsageError(f"OS_CLIENT_CONFIG_FILE names {override}, which does not exist", "correct or unset it")
    candidates = [override] if override else []
    candidates += loader.CONFIG_FILES
    users = next((Path(one) for one in candidates if os.path.exists(one)), None)
    if users is not None:
        _check_file(users)
    for file in extra_files:
        _check_file(file)
    try:
        return [
            OpenStackConfig(),
            *(_extra_source(one) for one in extra_files),
        ]
    except sdk_errors.ConfigException as error:
        raise UsageError(f"cannot use {users or 'the OS_* environment'}: {shorten(str(error))}") from error


def _extra_source(file: Path) -> OpenStackConfig:
    """One file, with the secure.yaml beside it; nothing of the user's other files or environment."""
    return OpenStackConfig([str(file)], secure_files=[str(file.with_name("secure.yaml"))], load_envvars=False)


def _check_file(path: Path) -> None:
    """The SDK skips a broken file with a log line; we say where it is broken, and never quote it (passwords)."""
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "check its permissions") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start})") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise UsageError(f"{path}{where}: broken YAML ({problem})", "correct that line") from error
    clouds = document.get("clouds") if isinstance(document, dict) else None
    if not isinstance(clouds, dict):
        raise UsageError(f"{path} has no table 'clouds:'", "see the example in docs/clouds.md")
    for name, entry in clouds.items():
        if not isinstance(entry, dict):
            raise UsageError(f"{path}: cloud {name!r} is not a table", "see the example in docs/clouds.md")


def _names(source: OpenStackConfig) -> list[str]:
    # Without any file the SDK makes up an entry called "defaults".
    names = [str(one) for one in source.get_cloud_names()]
    return names if source.config_filename else [one for one in names if one != "defaults"]


def _unknown_cloud(name: str, sources: Sequence[OpenStackConfig]) -> UsageError:
    known = sorted({one for source in sources for one in _names(source)})
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    if known:
        return UsageError(f"no cloud {name!r} in clouds.yaml", f"{hint}known clouds: {', '.join(known)}")
    return UsageError(f"no cloud {name!r}: no clouds.yaml was found", f"looked in {', '.join(loader.CONFIG_FILES[:3])}")


def _read_entry(name: str, source: OpenStackConfig) -> CloudConfig:
    # From the file as read, not through get_one: that turns numbers into strings and dashes into underscores.
    entry = source.cloud_config["clouds"][name]
    file = str(source.config_filename or "environment")
    interop = entry.get("interop") or {}
    if "interop" not in entry and (near := difflib.get_close_matches("interop", map(str, entry), 1, cutoff=0.75)):
        raise UsageError(f"{file}: cloud {name!r} has a key {near[0]!r}", "did you mean 'interop'?")
    if not isinstance(interop, Mapping):
        raise UsageError(f"{file}: cloud {name!r}: 'interop' is not a table")
    try:
        region = source.get_one(name)
    except auth_errors.MissingRequiredOptions as error:
        missing = ", ".join(str(option.dest) for option in error.options)
        raise UsageError(f"{file}: cloud {name!r} lacks {missing}", f"add it under 'clouds: {name}: auth:'") from error
    except (sdk_errors.SDKException, auth_errors.ClientException, TypeError, ValueError, AttributeError) as error:
        # The SDK meets a list where it wants a table with whatever Python says.
        raise UsageError(f"{file}: cloud {name!r} cannot be used: {shorten(str(error))}") from error
    if not (region.config.get("auth") or {}).get("auth_url"):
        raise UsageError(f"{file}: cloud {name!r} lacks auth_url", f"add it under 'clouds: {name}: auth:'")
    try:
        profile = read_profile(name, interop)
    except UsageError as error:
        raise UsageError(f"{file}: {error.what}", error.remedy) from error
    return CloudConfig(name, profile, file, region.region_name or None, profile.image, region)


def read_profile(name: str, interop: Mapping[str, object]) -> Profile:
    """The profile of cloud ``name`` from its ``interop:`` table, defaults filled in.

    Raises ``UsageError`` for an unknown key (naming the nearest) and for a value of the wrong type.
    """
    known = {one.name: one for one in fields(Profile) if one.name != "cloud"}
    values: dict[str, Any] = {}
    for key, value in interop.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"cloud {name!r}: interop has no key {key!r}", f"{hint}keys: {', '.join(known)}")
        try:
            values[key] = _convert(key, value, str(known[key].type))
        except _WrongType as wrong:
            raise UsageError(f"cloud {name!r}: interop.{key} must be {wrong.wanted}, not {value!r}") from None
    for key, allowed in (("auth", AUTH_WAYS), ("channels", CHANNELS), ("key_type", KEY_TYPES)):
        value = values.get(key) or ()
        for one in (value,) if isinstance(value, str) else value:
            if one not in allowed:
                raise UsageError(f"cloud {name!r}: interop.{key}: {one!r} is not one of {', '.join(allowed)}")
    if "password-post" in values.get("auth", ()) and ("key" not in values["auth"] or "password" in values["auth"]):
        remedy = "write auth: [key, password-post]: it is encrypted with the key, and made only where none was told"
        raise UsageError(f"cloud {name!r}: interop.auth: password-post goes with key, and not with password", remedy)
    # Only what a reference cloud says of itself is less than a real cloud.
    defaults = {key: one.default for key, one in known.items() if one.default is not MISSING}
    return Profile(cloud=name, **{**defaults, **values})


class _WrongType(Exception):
    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted


def _convert(key: str, value: object, annotation: str) -> object:
    """One value of ``interop:``, by the annotation of the profile's field."""
    if key == "access":
        return _access(value)
    if key == "evidence_level":
        return _evidence_level(value)
    if annotation.endswith("| None") and value is None:
        return None
    if annotation.startswith("tuple"):
        if isinstance(value, str):
            return (value,)
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
        raise _WrongType("a list of texts")
    if annotation == "bool":
        if isinstance(value, bool):
            return value
        raise _WrongType("true or false")
    if annotation == "float":
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
            return float(value)
        raise _WrongType("a number above 0")
    if isinstance(value, str):
        return value
    raise _WrongType("a text")


def _access(value: object) -> str | None:
    """As a URL: ``socks5h://host:port``, or what ``golden_flows.guests.jump`` reads."""
    if isinstance(value, Mapping) and "jump" in value and set(value) <= {"jump", "key", "host_key"}:
        return _jump({key: str(one) for key, one in value.items()})
    if isinstance(value, Mapping) and set(value) == {"socks"}:
        value = value["socks"]
    if value is None:
        return None
    if isinstance(value, str) and value.startswith(("socks5h://", "socks5://")):
        return value
    jump = "{jump: USER@HOST:PORT, key: FILE, host_key: SHA256:…}"
    raise _WrongType(f"a SOCKS URL such as socks5h://127.0.0.1:1080, {{socks: URL}}, or {jump}")


def _jump(told: Mapping[str, str]) -> str:
    if not re.fullmatch(r"[^@\s/?#]+@(\[[0-9A-Fa-f:.]+\]|[^@:\s/?#]+)(:[0-9]{1,5})?", told["jump"]):
        raise _WrongType("{jump: USER@HOST or USER@HOST:PORT, …}")
    key_file = Path(told["key"]).expanduser() if "key" in told else None
    if key_file is not None and not key_file.is_file():
        raise _WrongType(f"{{jump: …, key: FILE}} with a file that exists ({key_file} does not)")
    if "host_key" in told and not re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}=?", told["host_key"]):
        raise _WrongType("{jump: …, host_key: SHA256:…}, as ssh-keygen -lf prints it")
    query = urlencode({key: one for key, one in told.items() if key != "jump"})
    return f"ssh://{told['jump']}" + (f"?{query}" if query else "")


def _evidence_level(value: object) -> EvidenceLevel:
    for word, level in EVIDENCE_LEVELS.items():
        if value in (word, level.value):
            return level
    raise _WrongType(f"one of {', '.join(EVIDENCE_LEVELS)}")
