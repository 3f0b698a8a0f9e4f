"""What a reader holds against a verdict: the bytes, and what they say."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from golden_flows.flows import as_seen
from golden_flows.model import qcow2
from reports.leaks import leak
from selftests.golden_flows.checks.facts_builder import healthy_facts


def test_a_vhd_footer_is_told_in_words_and_in_bytes() -> None:
    conversion = healthy_facts().conversion
    assert conversion is not None
    told = as_seen.image_header(conversion.head, conversion.footer)
    assert told.startswith("formats seen: dynamic VHD\n\nVHD footer\n  creator: qem2\n  original_bytes: 268435456\n")
    assert "  0000  63 6f 6e 65 63 74 69 78 " in told
    assert "|conectix" in told


def test_a_disk_without_a_header_is_told_as_one() -> None:
    told = as_seen.image_header(bytes(510) + b"\x55\xaa" + bytes(3584), bytes(512))
    assert told.startswith("formats seen: none but RAW\n\nfirst bytes\n  only zeros\n")


@pytest.mark.parametrize("head", [qcow2.MAGIC, qcow2.MAGIC + bytes(4092), qcow2.MAGIC + b"\xff" * 4092])
def test_a_broken_header_is_told_and_stops_nothing(head: bytes) -> None:
    told = as_seen.image_header(head, b"conectix")
    assert told.startswith("formats seen: qcow2, fixed VHD (footer)\n\nqcow2 header")
    assert "VHD footer: 8 bytes instead of 512" in told


def test_leases_and_metadata_are_as_the_guest_told_them() -> None:
    boot = healthy_facts().boot
    assert boot is not None
    assert boot.report is not None
    report = replace(boot.report, listing={"/": "2009-04-04\nlatest\n"})
    (lease, *_) = json.loads(as_seen.leases(report))["dhcp"]
    assert lease["ip"] == report.leases[0].ip
    told = json.loads(as_seen.metadata(report))
    assert told["listings"] == {"/": "2009-04-04\nlatest\n"}
    assert len(told["requests"]) == len(report.requests)


def test_the_digest_of_user_data_is_not_taken_for_user_data() -> None:
    """A bundle of a real run was refused for it."""
    boot = healthy_facts().boot
    assert boot is not None
    assert boot.report is not None
    channel = replace(boot.report.channels[0], keys={"user_data": "0f" * 32})
    told = as_seen.metadata(replace(boot.report, channels=(channel,)))
    assert "0f" * 32 in told
    assert leak(told.encode()) == ""
