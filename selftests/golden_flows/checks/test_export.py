from __future__ import annotations

import gzip
import os

import pytest

from golden_flows.flows.home import damage
from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved, WithShim
from selftests.golden_flows.checks.facts_builder import SIZE_BYTES, failing, said, with_export, with_shim
from selftests.vhd_archives import member


def test_a_qcow2_snapshot_is_not_the_raw_that_was_asked_for() -> None:
    facts = with_export(disk_format="qcow2", head=b"QFI\xfb".ljust(4096, b"\0"))
    assert failing(facts) == {"EX-1"}
    assert isinstance(said("EX-4", facts), NotApplicable)


def test_a_container_is_a_finding() -> None:
    assert failing(with_export(container_format="ovf")) == {"EX-1"}


@pytest.mark.parametrize("name", ["disk_format", "container_format"])
def test_a_format_that_glance_does_not_name_is_not_observed(name: str) -> None:
    assert isinstance(said("EX-1", with_export(**{name: None})), NotObserved)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(with_export(downloaded_bytes=SIZE_BYTES - 512), id="cut by a proxy"),
        pytest.param(with_export(downloaded_bytes=SIZE_BYTES - 512, content_length=SIZE_BYTES - 512), id="cut at home"),
        pytest.param(with_export(content_length=SIZE_BYTES + 1), id="lying header"),
    ],
)
def test_lengths_that_differ_are_one_finding_of_the_length_check(facts: Facts) -> None:
    assert failing(facts) == {"EX-2"}


def test_a_hash_of_half_an_image_says_nothing() -> None:
    assert isinstance(said("EX-3", with_export(downloaded_bytes=1, computed_hash="0")), NotObserved)


def test_chunked_transfer_has_no_content_length_and_passes() -> None:
    assert said("EX-2", with_export(content_length=None)) == ()


def test_no_size_no_pass() -> None:
    assert isinstance(said("EX-2", with_export(size_bytes=None)), NotObserved)


@pytest.mark.parametrize("name", ["os_hash_value", "computed_hash"])
def test_no_multihash_no_pass(name: str) -> None:
    assert isinstance(said("EX-3", with_export(**{name: None})), NotObserved)


@pytest.mark.parametrize("name", ["computed_hash", "computed_md5"])
def test_another_digest_is_a_finding(name: str) -> None:
    assert failing(with_export(**{name: "0" * 32})) == {"EX-3"}


def test_an_old_images_md5_is_a_finding_though_it_has_no_better_hash() -> None:
    facts = with_export(os_hash_value=None, computed_hash=None, computed_md5="0" * 32)
    assert failing(facts) == {"EX-3"}


@pytest.mark.parametrize(
    "hashes",
    [
        {"os_hash_value": "ABCD", "computed_hash": "abcd", "checksum": None},
        {"checksum": "ABCD", "computed_md5": "abcd"},
    ],
    ids=["multihash", "md5"],
)
def test_hex_case_is_no_difference_to_anybody(hashes: dict[str, str | None]) -> None:
    facts = with_export(**hashes)
    assert said("EX-3", facts) == ()
    assert facts.export
    assert facts.export.is_whole
    assert damage(facts.export) == ""


def test_what_broke_off_does_not_travel_though_nobody_said_how_long_it_is() -> None:
    facts = with_export(size_bytes=None, error="the connection ended")
    assert facts.export
    assert damage(facts.export) == "the connection ended"


@pytest.mark.parametrize("name", ["computed_hash", "computed_md5"])
def test_only_the_better_hash_decides_what_travels(name: str) -> None:
    export = with_export(**{name: "0" * 32}).export
    assert export
    assert export.is_whole is (name == "computed_md5")
    assert bool(damage(export)) is (name == "computed_hash")


@pytest.mark.parametrize(
    "head",
    [
        b"QFI\xfb",
        b"QED\0",
        b"KDMV",
        b"COWD",
        b"# Disk DescriptorFile",
        b"conectix",
        b"vhdxfile",
        b"LUKS\xba\xbe",
        b"\x1f\x8b\x08",
    ],
)
def test_a_signature_at_the_start_of_a_raw_export_is_a_finding(head: bytes) -> None:
    assert failing(with_export(head=head.ljust(4096, b"\0"))) == {"EX-4"}


def test_a_vdi_signature_lies_deeper() -> None:
    assert failing(with_export(head=bytes(0x40) + b"\x7f\x10\xda\xbe" + bytes(100))) == {"EX-4"}


def test_a_fixed_vhd_shows_only_in_its_footer() -> None:
    assert failing(with_export(tail=b"conectix".ljust(512, b"\0"))) == {"EX-4"}


def test_a_dynamic_vhd_is_one_finding_though_signed_twice() -> None:
    cookie = b"conectix".ljust(512, b"\0")
    found = said("EX-4", with_export(head=cookie, tail=cookie))
    assert isinstance(found, tuple)
    assert len(found) == 1


@pytest.mark.parametrize("changes", [{"head": b""}, {"tail": b""}, {"disk_format": None}], ids=str)
def test_bytes_that_were_not_kept_earn_no_pass(changes: dict[str, object]) -> None:
    assert isinstance(said("EX-4", with_export(**changes)), NotObserved)


def test_an_archive_of_xenserver_passes_by_its_shim_and_is_judged_as_what_it_is() -> None:
    facts = with_shim()
    passed = said("EX-1", facts)
    assert isinstance(passed, WithShim)
    assert (passed.name, "1.vhd: dynamic" in passed.reason) == ("tgz-vhd-to-raw", True)
    assert failing(facts) == set()
    assert isinstance(said("EX-4", facts), NotApplicable)


def test_an_archive_that_the_shim_cannot_read_is_the_sources_fault() -> None:
    facts = with_shim("the archive lacks 0.vhd")
    assert failing(facts) == {"EX-1"}
    found = said("EX-1", facts)
    assert isinstance(found, tuple)
    assert "lacks 0.vhd" in found[0].actual


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        (member("./", kind=b"5") + member("./0.vhd", os.urandom(9000)), "gzip'd tar of a chain of VHDs, as XenServer"),
        (member("notes.txt", os.urandom(9000)), "gzip'd tar of 'notes.txt'; begins 1f 8b"),
        (os.urandom(9000), "gzip; begins 1f 8b"),
    ],
    ids=["chain", "another tar", "no tar"],
)
def test_what_is_inside_a_gzip_declared_raw_is_named(inside: bytes, words: str) -> None:
    head = gzip.compress(inside)[:4096]
    assert failing(with_export(head=head)) == {"EX-4"}
    found = said("EX-4", with_export(head=head))
    assert isinstance(found, tuple)
    assert found[0].actual.startswith(words)
