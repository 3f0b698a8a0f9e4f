"""The driver against the real API of a reference cloud: what it makes, what it moves, and what it leaves: nothing."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from golden_flows.clouds import disk_image, mover
from golden_flows.clouds.cloud import Cloud, connect
from golden_flows.clouds.config import load_clouds
from golden_flows.clouds.records import ServerRequest
from golden_flows.errors import CloudError, InteropError, Unsupported, UsageError
from golden_flows.journal import Journal
from golden_flows.ledger import Ledger, clean_run, read_ledger
from golden_flows.waiting import Deadline
from selftests.golden_flows.clouds.conftest import RUN, Drive, HastyClock
from selftests.refclouds.api.conftest import GUEST_WRITES, GUEST_WRITES_AT, PASSWORD

MIB = 1024 * 1024


def soon() -> Deadline:
    return Deadline.after(20)


@pytest.fixture
def image_file(tmp_path: Path) -> Path:
    """3 MiB and a bit, with a hole in the middle."""
    path = tmp_path / "image.raw"
    path.write_bytes(os.urandom(MIB) + bytes(MIB) + os.urandom(MIB + 512))
    return path


def test_preflight_says_who_and_where_and_no_secret(drive: Drive) -> None:
    driven = drive()
    line = driven.cloud.preflight()
    assert "anne in project demo" in line
    assert PASSWORD not in line
    assert "glance-direct" in (driven.cloud.discover().import_methods or ())


def test_a_server_lives_and_everything_goes(drive: Drive) -> None:
    driven = drive()
    cloud = driven.cloud
    before = cloud.inventory()
    assert cloud.create_keypair(
        "key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0iVMUSF/wnT2LQuBLB8KbJzCVyRDxYIyFuPfPVLfpJ a"
    )
    assert cloud.create_security_group("web", [22, 8080])
    server = driven.boot()
    networks = cloud.find_networks(["private"])
    (port,) = cloud.list_ports(server.id, networks)
    assert (port.cidr, port.gateway_ip, port.dhcp) == ("10.10.0.0/24", "10.10.0.1", True)
    assert cloud.attach_floating_ip(server.id, port.port_id, "public").startswith("172.24.4.")
    assert cloud.read_console(server.id, tail_lines=1).strip() == "three"
    instance = driven.reference.metadata.told[server.id]
    assert instance.user_data == b"\x00\xff binary"
    assert instance.meta == {"who": "anne", "interop_run": RUN}
    snapshot = cloud.show_image(cloud.snapshot(server.id, "snap", soon()))
    assert (snapshot.status, snapshot.disk_format) == ("active", "raw")
    report = cloud.cleanup(soon())
    assert {one.kind for one in report.removed} == {"keypair", "security_group", "server", "floating_ip", "image"}
    assert report.leftovers == ()
    assert cloud.inventory() == before
    assert read_ledger(driven.journal.path)[1] == ()


def test_an_address_is_taken_once_and_a_refusal_leaves_no_entry(drive: Drive) -> None:
    driven = drive()
    cloud = driven.cloud
    server = driven.boot()
    (port,) = cloud.list_ports(server.id, cloud.find_networks(["private"]))
    with pytest.raises(CloudError, match="taking a floating IP"):
        cloud.attach_floating_ip(server.id, "00000000-0000-0000-0000-000000000000", "public")
    assert not [one for one in read_ledger(driven.journal.path)[1] if one.kind == "floating_ip"]
    taken = cloud.attach_floating_ip(server.id, port.port_id, "public")
    assert cloud.attach_floating_ip(server.id, port.port_id, "public") == taken, "its answer may have been lost"
    assert len([one for one in read_ledger(driven.journal.path)[1] if one.kind == "floating_ip"]) == 1
    assert cloud.cleanup(soon()).leftovers == ()


def test_an_image_moves_and_comes_back_the_same(drive: Drive, tmp_path: Path, image_file: Path) -> None:
    source, destination = drive("private"), drive("public-lite")
    content = image_file.read_bytes()
    put = source.cloud.import_image(name="first", source=image_file, size_bytes=len(content), deadline=soon())
    assert put.final_status == "active"
    # The private cloud converts what it imports, so what travels is the snapshot of a server.
    snapshot = source.cloud.snapshot(source.boot(image=put.image_id).id, "snap", soon())
    seen: list[tuple[int, int | None]] = []
    spooled = mover.export_to_spool(
        source.cloud,
        snapshot,
        tmp_path / "spool",
        deadline=soon(),
        progress=lambda done, total: seen.append((done, total)),
    )
    facts = spooled.facts
    assert facts.computed_hash == facts.os_hash_value
    assert facts.computed_md5 == facts.checksum
    assert facts.downloaded_bytes == facts.content_length == facts.size_bytes == seen[-1][0] == seen[-1][1]
    moved = spooled.path.read_bytes()
    rest = GUEST_WRITES_AT + len(GUEST_WRITES)
    assert moved[: len(content)] == content[:GUEST_WRITES_AT] + GUEST_WRITES + content[rest:]
    assert facts.sha256 == hashlib.sha256(moved).hexdigest()
    assert (facts.head, facts.tail) == (moved[:4096], moved[-512:])
    transfer, imported = mover.import_from_spool(
        spooled, destination.cloud, name="anne", properties={"os_distro": "x", "os_glance_y": "z"}, deadline=soon()
    )
    assert (imported.create_status, imported.stage_status, imported.import_status) == (201, 204, 202)
    assert imported.statuses_seen[0] == "queued"
    assert imported.statuses_seen[-1] == imported.final_status == "active"
    assert imported.sent_sha512 == hashlib.sha512(moved).hexdigest()
    assert imported.stored_disk_format == "vhd"
    assert transfer.moved_bytes == len(moved)
    assert transfer.rss_peak_bytes is None or transfer.rss_peak_bytes >= (transfer.rss_before_bytes or 0)
    stored = destination.cloud.download_to(imported.image_id or "", tmp_path / "stored", deadline=soon())
    expansion = disk_image.expand(tmp_path / "stored", "vhd", tmp_path, original_bytes=len(moved))
    conversion = disk_image.conversion_facts("raw", facts, stored, expansion)
    assert conversion.expanded_sha256 == conversion.original_sha256
    assert conversion.footer.startswith(b"conectix")


def test_a_truncated_download_is_a_fact(drive: Drive, tmp_path: Path, image_file: Path) -> None:
    driven = drive("private", "truncate_tail=512")
    put = driven.cloud.import_image(name="i", source=image_file, size_bytes=3 * MIB + 512, deadline=soon())
    got = driven.cloud.download_to(put.image_id or "", tmp_path / "out", deadline=soon())
    assert got.downloaded_bytes == (got.image.size_bytes or 0) - 512
    assert got.computed_hash != got.image.os_hash_value


def test_a_lost_stage_ends_the_import_with_its_reason(drive: Drive, image_file: Path) -> None:
    facts = drive("public-lite", "stage_lost").cloud.import_image(
        name="i", source=image_file, size_bytes=3 * MIB + 512, deadline=soon()
    )
    assert facts.final_status == "queued"
    assert facts.message


@pytest.mark.parametrize(("fault", "status"), [((), 204), (("put_forbidden",), 403)])
def test_the_legacy_way_is_probed_and_leaves_nothing(drive: Drive, fault: tuple[str, ...], status: int) -> None:
    driven = drive("public-lite", *fault)
    probe = driven.cloud.put_probe(soon())
    assert probe.put_status == status
    if status == 204:
        assert (probe.image_status, probe.size_bytes, probe.os_hash_value) == ("active", MIB, probe.sent_sha512)
    else:
        assert probe.message
    assert driven.ledger.open_entries("public") == ()


def test_a_deletion_that_does_nothing_is_noticed_and_left_in_the_ledger(drive: Drive, hasty: HastyClock) -> None:
    driven = drive("private", "delete_202_noop")
    server = driven.boot()
    report = driven.cloud.cleanup(hasty.deadline(600))
    assert [(one.kind, one.id) for one in report.leftovers] == [("server", server.id)]
    assert "nothing has changed" in report.failures[0]
    assert [one.id for one in read_ledger(driven.journal.path)[1]] == [server.id]
    assert driven.cloud.delete_server(server.id, hasty.deadline(600)) is False


def test_what_is_not_in_the_ledger_is_not_deleted(drive: Drive) -> None:
    driven = drive()
    image = driven.cloud.find_image("golden-pocket")
    with pytest.raises(CloudError, match="ledger"):
        driven.cloud.delete_image(image.id, soon())
    with pytest.raises(CloudError, match="ledger"):
        driven.cloud.delete_server("0", soon())


def test_what_the_ledger_names_but_others_called_is_not_deleted(drive: Drive) -> None:
    driven = drive()
    foreign = driven.reference.call(
        "POST", "/network/v2.0/security-groups", json={"security_group": {"name": "theirs"}}
    )
    group = foreign.json()["security_group"]["id"]
    driven.ledger.created(driven.ledger.planned("private", "security_group", "interop-t1-x"), group)
    report = driven.cloud.cleanup(soon())
    assert [one.id for one in report.leftovers] == [group]
    assert "'theirs'" in report.failures[0]
    assert group in driven.cloud.inventory()["security_group"]


def test_a_dead_run_is_cleaned_from_its_journal_alone(drive: Drive) -> None:
    driven = drive()
    before = driven.cloud.inventory()
    driven.boot()
    # Killed between asking and writing down the answer: made, and known by name only.
    driven.ledger.planned("private", "security_group", "interop-t1-late")
    driven.reference.call("POST", "/network/v2.0/security-groups", json={"security_group": {"name": "interop-t1-late"}})
    # And one that was never made.
    driven.ledger.planned("private", "keypair", "interop-t1-never")
    driven.ledger.planned("private", "image", "interop-t1-never")

    def reconnect(name: str, ledger: Ledger, journal: Journal) -> Cloud:
        return connect(load_clouds([name], [driven.file])[name], ledger, journal)

    reports = clean_run(driven.journal.path, reconnect, soon())
    assert sorted(one.kind for one in reports["private"].removed) == ["security_group", "server"]
    assert reports["private"].failures == ()
    assert driven.cloud.inventory() == before
    assert read_ledger(driven.journal.path)[1] == ()


def test_a_missing_thing_names_those_that_exist(drive: Drive) -> None:
    cloud = drive("public-lite").cloud
    for ask, known in (
        (lambda: cloud.find_image("golden-pokcet"), "golden-pocket"),
        (lambda: cloud.find_networks(["flta"]), "flat, multi"),
        (lambda: cloud.pick_flavor("huge", 0, 0), "pocket, small"),
        (lambda: cloud.find_networks([]), "flat, multi"),
    ):
        with pytest.raises(UsageError) as caught:
            ask()
        assert known in str(caught.value)
    with pytest.raises(UsageError, match="no flavor with"):
        cloud.pick_flavor(None, 0, 10**7)


def test_a_console_that_is_not_offered_is_unsupported(drive: Drive) -> None:
    driven = drive()
    server = driven.boot()
    driven.cloud.profile = replace(driven.cloud.profile, console=False)
    with pytest.raises(Unsupported, match="console: false"):
        driven.cloud.read_console(server.id)


def a_request(cloud: Cloud, image_id: str) -> ServerRequest:
    networks = cloud.find_networks(["private"])
    return ServerRequest(name="x", image_id=image_id, flavor=cloud.pick_flavor(None, 0, 128), networks=networks)


def test_a_refused_server_is_an_error_with_the_clouds_reason(drive: Drive) -> None:
    driven = drive()
    cloud = driven.cloud
    with pytest.raises(CloudError, match="HTTP 400"):
        cloud.boot(a_request(cloud, "11111111-1111-1111-1111-111111111111"), soon())
    assert cloud.cleanup(soon()).failures == ()
    assert driven.ledger.open_entries("private") == ()


def test_a_server_in_error_ends_the_wait_with_its_fault(drive: Drive) -> None:
    driven = drive()
    driven.reference.hypervisor.refuse_start = True
    cloud = driven.cloud
    server = cloud.boot(a_request(cloud, cloud.find_image("golden-pocket").id), soon())
    state = cloud.wait_server(server.id, soon())
    assert state.status == "ERROR"
    assert "did not start" in state.fault
    assert state.seconds_to_reach is None


def test_a_wrong_password_and_an_api_that_is_away_are_told_apart(drive: Drive, tmp_path: Path) -> None:
    driven = drive()
    text = driven.file.read_text()
    broken = tmp_path / "broken.yaml"
    for change, kind, words in (
        ((PASSWORD, "wrong-secret"), UsageError, "refused the user name"),
        (("/identity/v3", "/evidence"), CloudError, "no OpenStack API"),
        (("RegionOne", "Elsewhere"), CloudError, "catalogue lacks"),
        (("127.0.0.1", "nowhere.invalid"), CloudError, "cannot be resolved"),
        (("http://", "https://"), CloudError, "does not speak TLS"),
    ):
        broken.write_text(text.replace(*change))
        config = load_clouds(["private"], [broken])["private"]
        with pytest.raises(kind) as caught, connect(config, driven.ledger, driven.journal) as cloud:
            cloud.preflight()
        assert words in str(caught.value)
        assert "wrong-secret" not in str(caught.value)


def test_an_api_that_dies_mid_run_is_an_error_and_cleanup_reports_it(drive: Drive) -> None:
    driven = drive()
    driven.boot()
    driven.reference.stop()
    with pytest.raises(InteropError, match="private"):
        driven.cloud.inventory()
    report = driven.cloud.cleanup(Deadline.after(2))
    assert [one.kind for one in report.leftovers] == ["server"]
    assert "connection refused" in report.failures[0]


def test_the_source_s_image_may_be_another_than_the_profile_names(drive: Drive) -> None:
    driven = drive()
    with pytest.raises(UsageError, match="does not say which image"):
        driven.cloud.source_image()
    config = driven.cloud.config.starting_from("golden-pocket")
    with connect(config, driven.ledger, driven.journal) as cloud:
        cloud.find_named(needs_image=True)
        assert cloud.source_image().name == "golden-pocket"
    with connect(config.starting_from("gone"), driven.ledger, driven.journal) as cloud:
        with pytest.raises(UsageError) as caught:
            cloud.find_named(needs_image=True)
        assert "no active image 'gone'" in caught.value.what
        assert "golden-pocket" in caught.value.remedy


def test_a_server_is_stopped_and_started(drive: Drive) -> None:
    driven = drive()
    server = driven.boot()
    state = driven.cloud.stop(server.id, soon())
    assert state.status == "SHUTOFF"
    assert state.seconds_to_reach is not None
    driven.cloud.start(server.id)
    assert driven.cloud.wait_server(server.id, soon()).status == "ACTIVE"


def test_a_cloud_that_sets_no_passwords_says_why(drive: Drive) -> None:
    driven = drive()
    server = driven.boot()
    status, reason = driven.cloud.change_password(server.id, "another-secret")
    assert status == 501
    assert "no agent" in reason
    driven.journal.write("note", text="set another-secret")
    assert "another-secret" not in driven.journal.path.read_text("utf-8")
