"""Tokens that die while images are on their way, against the real API of a reference cloud."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from golden_flows.clouds import mover
from golden_flows.clouds.cloud import connect
from golden_flows.clouds.config import load_clouds
from golden_flows.clouds.session import ApiSession
from golden_flows.clouds.token_probe import FILE, PROBE_BYTES, STAGE
from golden_flows.errors import Unreachable, UsageError
from golden_flows.waiting import Deadline
from selftests.golden_flows.checks.facts_builder import healthy_facts, said
from selftests.golden_flows.clouds.conftest import Drive

MIB = 1 << 20


def soon() -> Deadline:
    return Deadline.after(20)


@pytest.mark.parametrize(
    ("faults", "way", "whole"),
    [
        ((), FILE, True),
        (("put_forbidden",), STAGE, True),
        (("token_half",), FILE, False),
        (("token_half", "put_forbidden"), STAGE, False),
    ],
)
def test_a_token_revoked_half_way_shows_what_the_cloud_keeps(
    drive: Drive, faults: tuple[str, ...], way: str, whole: bool
) -> None:
    driven = drive("private", *faults)
    before = driven.cloud.inventory()
    died = driven.cloud.token_probe(soon())
    assert (died.skipped, died.way, died.image_status) == ("", way, "active")
    assert ((died.kept_bytes or 0) == PROBE_BYTES) is whole
    assert driven.cloud.inventory() == before
    assert driven.cloud.preflight(), "the session's own token lives on"


@pytest.mark.parametrize(("closed", "way"), [((), FILE), (("put_forbidden",), STAGE)])
def test_a_cloud_that_cuts_the_connection_is_judged_by_what_it_left_and_not_by_what_we_ask_then(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, closed: tuple[str, ...], way: str
) -> None:
    driven, send = drive("private", *closed), ApiSession.send

    def cut(api: ApiSession, service: str, method: str, path: str, **options: Any) -> requests.Response:
        if options.get("token"):
            assert len(b"".join(options["data"])) == PROBE_BYTES
            raise Unreachable("the connection broke off")
        return send(api, service, method, path, **options)

    monkeypatch.setattr(ApiSession, "send", cut)
    died = driven.cloud.token_probe(soon())
    assert (died.skipped, died.way, died.upload_status, died.image_status) == ("", way, None, "queued")
    assert said("TX-5", replace(healthy_facts(), token_death=died)) == ()


def test_where_no_way_of_upload_is_open_no_token_died(drive: Drive) -> None:
    driven = drive("private", "put_forbidden", "import_closed")
    died = driven.cloud.token_probe(soon())
    assert "takes no image by PUT /file from this tenant: HTTP 403" in died.skipped


def test_a_token_that_we_could_not_revoke_says_nothing_of_the_cloud(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    driven, send = drive("private"), ApiSession.send

    def cut_off(api: ApiSession, service: str, method: str, path: str, **options: Any) -> requests.Response:
        if (service, method) == ("identity", "DELETE"):
            raise Unreachable("the line is down")
        return send(api, service, method, path, **options)

    monkeypatch.setattr(ApiSession, "send", cut_off)
    died = driven.cloud.token_probe(soon())
    assert (died.skipped, died.image_status, died.message) == ("", None, "revoking the token: the line is down")


def test_no_token_that_somebody_gave_is_revoked(drive: Drive, tmp_path: Path) -> None:
    driven = drive()
    auth = {"auth_url": f"{driven.reference.url}/identity/v3", "token": driven.reference.token()}
    scope = {"project_name": "demo", "project_domain_name": "Default"}
    entry = {"auth_type": "v3token", "auth": {**auth, **scope}, "region_name": "RegionOne"}
    file = tmp_path / "token.yaml"
    file.write_text(yaml.safe_dump({"clouds": {"given": entry}}), "utf-8")
    with connect(load_clouds(["given"], [file])["given"], driven.ledger, driven.journal) as cloud:
        assert "not ours to revoke" in cloud.token_probe(soon()).skipped
        assert cloud.preflight()


def test_a_cloud_whose_tokens_die_early_still_gets_and_gives_whole_images(drive: Drive, tmp_path: Path) -> None:
    """Every token is dead after a second, though it says that it lives for hours; both ways take longer."""
    source, destination = (drive(name, variants=["token_ttl=1"]) for name in ("private", "public-lite"))
    content = bytes(range(256)) * (8 * MIB // 256)
    file = tmp_path / "image.raw"
    file.write_bytes(content)

    def slowly(done: int, total: int | None) -> None:
        time.sleep(0.3)

    put = source.cloud.import_image(
        name="first", source=file, size_bytes=len(content), deadline=Deadline.after(60), progress=slowly
    )
    assert put.final_status == "active"
    snapshot = source.cloud.snapshot(source.boot(image=put.image_id).id, "snap", soon())
    spooled = mover.export_to_spool(
        source.cloud, snapshot, tmp_path / "spool", deadline=Deadline.after(60), progress=slowly
    )
    time.sleep(1.2)
    _, imported = mover.import_from_spool(
        spooled, destination.cloud, name="anne", properties={}, deadline=Deadline.after(60), progress=slowly
    )
    moved = spooled.path.read_bytes()
    assert (imported.final_status, imported.sent_bytes) == ("active", len(moved))
    assert imported.sent_sha512 == hashlib.sha512(moved).hexdigest()
    time.sleep(1.2)
    for one in (source, destination):
        assert one.cloud.cleanup(soon()).leftovers == ()


def test_a_password_that_is_wrong_by_then_ends_in_one_clear_error(drive: Drive, tmp_path: Path) -> None:
    """The token is dead and there will be no other: the user was deleted meanwhile."""
    driven = drive("private", variants=["token_ttl=1"])
    driven.cloud.preflight()
    store = driven.reference.cloud.store
    anne = next(one for one in store.list("user") if one["name"] == "anne")
    store.patch("user", anne["id"], enabled=False)
    time.sleep(1.2)
    file = tmp_path / "image.raw"
    file.write_bytes(bytes(MIB))
    with pytest.raises(UsageError, match="refused the user name, the password or the project"):
        driven.cloud.import_image(name="anne", source=file, size_bytes=MIB, deadline=soon())
    assert [one["name"] for one in store.list("image") if one["status"] == "active"] == ["golden-pocket"]
