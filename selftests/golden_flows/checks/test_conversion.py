from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from golden_flows.model.facts import Facts
from golden_flows.model.finding import NotApplicable, NotObserved
from golden_flows.model.vhd import NotAVhdFooter, read_footer
from selftests.golden_flows.checks.facts_builder import (
    SIZE_BYTES,
    failing,
    qcow2_head,
    said,
    vhd_footer,
    with_conversion,
    with_dst,
    with_size_probe,
)

GROWN_BYTES = SIZE_BYTES + 253_952


def _undeclared(facts: Facts) -> Facts:
    return replace(facts, dst=replace(facts.dst, image_format=None))


def test_an_undeclared_conversion_is_a_finding() -> None:
    facts = _undeclared(with_conversion(disk_format="qcow2", head=qcow2_head()))
    assert failing(facts) == {"CV-1"}
    assert isinstance(said("CV-4", facts), NotApplicable)


def test_a_declared_conversion_that_does_not_happen_is_a_finding() -> None:
    assert failing(with_conversion(disk_format="raw")) == {"CV-1"}


def test_an_image_that_stays_as_asked_passes_where_nothing_is_declared() -> None:
    assert said("CV-1", _undeclared(with_conversion(disk_format="raw"))) == ()


@pytest.mark.parametrize("check_id", ["CV-1", "CV-4"])
def test_no_format_no_pass(check_id: str) -> None:
    assert isinstance(said(check_id, with_conversion(disk_format=None)), NotObserved)


def test_a_changed_byte_is_a_finding() -> None:
    assert failing(with_conversion(expanded_sha256="0" * 64)) == {"CV-2"}


def test_a_tail_that_is_not_zero_is_a_finding() -> None:
    facts = with_conversion(expanded_bytes=GROWN_BYTES, extra_tail_is_zero=False)
    assert "CV-2" in failing(facts)


def test_an_unread_tail_earns_no_pass() -> None:
    assert isinstance(said("CV-2", with_conversion(expanded_bytes=GROWN_BYTES)), NotObserved)


@pytest.mark.parametrize("check_id", ["CV-2", "CV-3", "CV-4"])
def test_an_image_that_cannot_be_expanded_earns_no_pass(check_id: str) -> None:
    found = said(check_id, with_conversion(expanded_bytes=None, expanded_sha256=None, expand_error="bad magic"))
    assert isinstance(found, NotObserved)
    assert "bad magic" in found.reason


def test_a_vhd_rounded_to_cylinders_is_named_with_its_remedy() -> None:
    facts = with_conversion(
        expanded_bytes=GROWN_BYTES,
        api_virtual_size_bytes=GROWN_BYTES,
        extra_tail_is_zero=True,
        footer=vhd_footer(size_bytes=GROWN_BYTES),
    )
    assert failing(facts) == {"CV-3", "CV-4"}
    found = said("CV-3", facts)
    assert isinstance(found, tuple)
    assert "+253952 bytes" in found[0].actual
    assert "CHS" in found[0].actual
    assert "force_size=on" in found[0].remedy


def test_a_disk_that_shrank_is_a_finding_without_talk_of_cylinders() -> None:
    found = said("CV-3", with_conversion(expanded_bytes=SIZE_BYTES - 512, api_virtual_size_bytes=None))
    assert isinstance(found, tuple)
    assert "CHS" not in found[0].actual


def test_the_virtual_size_of_the_api_must_be_the_stored_one() -> None:
    assert failing(with_conversion(api_virtual_size_bytes=1)) == {"CV-3"}
    assert said("CV-3", with_conversion(api_virtual_size_bytes=None)) == ()


@pytest.mark.parametrize(
    "footer",
    [
        pytest.param(vhd_footer(checksum_off=1), id="checksum"),
        pytest.param(vhd_footer(disk_type=4), id="differencing"),
        pytest.param(vhd_footer(size_bytes=SIZE_BYTES + 512), id="size"),
        pytest.param(vhd_footer(size_bytes=SIZE_BYTES + 1), id="half a sector"),
        pytest.param(vhd_footer(creator=b"vpc "), id="geometry for the size"),
        pytest.param(vhd_footer(creator=b"qemu", geometry=(963, 16, 17)), id="geometry rounded down"),
        pytest.param(bytes(512), id="cookie"),
        pytest.param(b"", id="empty"),
    ],
)
def test_a_defect_of_the_footer_is_a_finding(footer: bytes) -> None:
    assert failing(with_conversion(footer=footer)) == {"CV-4"}


@pytest.mark.parametrize("disk_type", [2, 3])
def test_fixed_and_dynamic_disks_pass(disk_type: int) -> None:
    assert said("CV-4", with_conversion(footer=vhd_footer(disk_type=disk_type))) == ()


@pytest.mark.parametrize(
    ("creator", "geometry"),
    [(b"tap\0", (1, 1, 1)), (b"win ", (65535, 16, 255)), (b"wa\0\0", (1, 1, 1)), (b"vpc ", (2048, 16, 16))],
    ids=str,
)
def test_a_creator_whose_readers_find_the_size_passes(creator: bytes, geometry: tuple[int, int, int]) -> None:
    assert said("CV-4", with_conversion(footer=vhd_footer(creator=creator, geometry=geometry))) == ()


def test_a_disk_that_came_with_half_a_mib_may_keep_it() -> None:
    size = SIZE_BYTES + 512
    facts = with_conversion(
        original_bytes=size, expanded_bytes=size, api_virtual_size_bytes=size, footer=vhd_footer(size_bytes=size)
    )
    assert (said("CV-3", facts), said("CV-4", facts)) == ((), ())


def test_a_disk_that_was_cut_to_fit_is_a_finding() -> None:
    facts = with_size_probe(status="active", disk_format="vhd", virtual_size_bytes=2040 << 30)
    assert failing(facts) == {"CV-7"}


def test_a_refusal_without_a_reason_is_a_finding() -> None:
    assert failing(with_size_probe(message="")) == {"CV-7"}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"control_status": "queued", "control_message": "qcow2 is not taken here"}, id="no qcow2 at all"),
        pytest.param({"status": "importing", "message": "waited 120 s"}, id="no end"),
        pytest.param({"status": None}, id="not created"),
    ],
)
def test_a_size_that_was_not_tried_to_an_end_earns_no_pass(changes: dict[str, Any]) -> None:
    assert isinstance(said("CV-7", with_size_probe(**changes)), NotObserved)


def test_sizes_matter_only_where_vhds_are_stored() -> None:
    facts = with_dst(image_format="qcow2")
    assert isinstance(said("CV-7", facts), NotApplicable)
    assert isinstance(said("CV-7", with_conversion(size_probe=None)), NotObserved)


def test_an_archive_of_xenserver_is_not_observed() -> None:
    assert isinstance(said("CV-4", with_conversion(head=b"\x1f\x8b\x08", footer=bytes(512))), NotObserved)


@given(st.binary(max_size=600) | st.binary(min_size=512, max_size=512).map(lambda b: b"conectix" + b[8:]))
@example(b"conectix")
@example(b"conectix" + b"\xff" * 504)
def test_any_bytes_are_a_footer_or_not_one(block: bytes) -> None:
    try:
        footer = read_footer(block)
    except NotAVhdFooter:
        return
    assert len(block) == 512
    assert 0 <= footer.computed_checksum <= 0xFFFFFFFF


def test_hash_and_size_are_judged_apart() -> None:
    facts = with_conversion(expanded_bytes=GROWN_BYTES, extra_tail_is_zero=True, api_virtual_size_bytes=None)
    assert said("CV-2", facts) == ()
