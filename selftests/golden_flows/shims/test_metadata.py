"""Which shim stands between a cloud's channel and an agent's, and what it says of the boot that it took part in."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from golden_flows.errors import GuestError, UsageError
from golden_flows.model.agent_channels import AgentChannels, channels_read
from golden_flows.model.guest import Channel
from golden_flows.shims import metadata
from selftests.golden_flows.checks.facts_builder import report

HTTP, DRIVE, EC2 = "openstack-http", "config-drive", "ec2-http"
OF_DRIVE = metadata.SHIMS[0]


@pytest.mark.parametrize(
    ("reads", "offered", "name"),
    [
        ((HTTP,), (DRIVE,), "config-drive-to-metadata"),
        ((HTTP,), (EC2,), "ec2-to-openstack"),
        ((HTTP,), (EC2, DRIVE), "config-drive-to-metadata"),
        ((HTTP,), (HTTP, DRIVE), None),
        ((HTTP, DRIVE), (DRIVE,), None),
        ((), (DRIVE,), None),
        ((DRIVE,), (HTTP,), None),
        ((HTTP,), (), "pushed-metadata"),
        ((), (), "pushed-metadata"),
        ((DRIVE,), (), None),
    ],
)
def test_a_shim_is_taken_only_where_agent_and_cloud_have_nothing_in_common(
    reads: tuple[str, ...], offered: tuple[str, ...], name: str | None
) -> None:
    found = metadata.find(reads, offered)
    assert (found.name if found else None) == name


def test_an_image_that_names_no_channel_says_nothing() -> None:
    assert channels_read({}) == ()
    assert channels_read({"interop_channels": "openstack-http, ec2-http"}) == (HTTP, EC2)


def test_an_image_that_names_a_channel_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="interop_channels names 'http'"):
        channels_read({"interop_channels": "http"})


def test_the_packed_program_is_imported_by_a_python_that_has_nothing_else(tmp_path: Path) -> None:
    packed = tmp_path / "shim.pyz"
    packed.write_bytes(metadata.pack())
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from golden_flows.shims.in_guest import main; "
        "from golden_flows.shims.in_guest import config_drive, ec2, pushed; print(main.__file__)"
    )
    argv = [sys.executable, "-I", "-S", "-B", "-c", code, str(packed)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith(str(packed))


def test_every_source_of_a_shim_is_one_that_the_program_has() -> None:
    from golden_flows.shims.in_guest import main

    assert {one.source for one in (*metadata.SHIMS, metadata.OF_NOTHING)} == set(main.SOURCES)


def note(**changes: object) -> bytes:
    drive = {"device": "/dev/sr0", "filesystem": "iso9660", "label": "config-2", "names": ["openstack/"]}
    document = {"schema": 1, "boot_id": report().boot_id, "verdict": "ok", "reasons": ["/dev/sr0 (iso9660)"]}
    return json.dumps({**document, "config_drive": drive, **changes}).encode()


def shimmed_report() -> tuple[Channel, ...]:
    absent = (Channel(name=DRIVE, present=False, reason="this image's agent does not read it"),)
    return (*absent, Channel(name=HTTP, present=True, used=True, reason="read"))


def test_the_agent_was_told_by_the_cloud_s_channel_through_the_shim() -> None:
    told = replace(report(), channels=shimmed_report(), config_drive=None)
    known, through = metadata.told_through(OF_DRIVE, told, AgentChannels(reads=(HTTP,)), note())
    assert known == AgentChannels(
        reads=(HTTP,), shim="config-drive-to-metadata", through=DRIVE, serves="/dev/sr0 (iso9660)"
    )
    assert [(one.name, one.present, one.used) for one in through.channels] == [(DRIVE, True, True)]
    assert through.config_drive is not None
    assert through.config_drive.device == "/dev/sr0"
    assert through.requests == ()


@pytest.mark.parametrize(
    ("left", "trouble"),
    [
        (None, "it left no word: it did not run"),
        (note(boot_id="another"), "it did not run in this boot"),
        (note(verdict="skipped", reasons=["nothing to read"]), "it stepped aside: nothing to read"),
    ],
)
def test_a_shim_that_served_nothing_says_why(left: bytes | None, trouble: str) -> None:
    told = replace(report(), channels=shimmed_report())
    known, through = metadata.told_through(OF_DRIVE, told, AgentChannels(), left)
    assert (known.serves, known.trouble) == ("", trouble)
    assert through.channels[1:] == told.channels[1:]
    assert not through.channels[0].present


@pytest.mark.parametrize("left", [b"{", b"[]", b'{"schema": 1}'])
def test_a_note_that_is_none_is_an_error(left: bytes) -> None:
    with pytest.raises(GuestError):
        metadata.told_through(OF_DRIVE, report(), AgentChannels(), left)
