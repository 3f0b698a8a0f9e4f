"""Whose it is, on real guests: a fault of each party, and the controls that tell it from the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from golden_flows.ledger import read_ledger
from selftests.flows.interop import InteropResult, run_interop

pytestmark = [pytest.mark.qemu, pytest.mark.nightly]


def controls_of(result: InteropResult) -> dict[str, str]:
    """What each control showed of the first trouble it was asked about, by name."""
    (cell,) = result.document["cells"]
    answered = [one for one in cell["attributions"] if one["controls"]]
    return {one["control"]: one["shown"] for one in answered[0]["controls"]} if answered else {}


def only(party: str) -> tuple[str, tuple[str, ...]]:
    return party, (party,)


def test_a_destination_that_boots_nobody_is_told_from_the_image(tmp_path: Path) -> None:
    """The same goes wrong with its own image, and Anne's comes up at home."""
    result = run_interop("private", "public-lite", tmp_path, ["public-lite:no_boot"], controls=True)
    assert result.exit_code == 1, result.explain()
    assert result.whose() == {"BT-1 BT-2": only("destination")}, result.explain()
    assert controls_of(result) == {"own-image": "same", "back-home": "clean"}
    assert "LC-2" in result.by_outcome("pass"), "what controls make is deleted with the rest"
    assert read_ledger(result.folder / "journal.jsonl")[1] == ()
    assert "whose boot (BT-1, BT-2) is: destination" in result.output
    page = (result.folder / "matrix.html").read_text("utf-8")
    assert "the destination" in page
    assert "back on the source went well" in page


def test_a_conversion_that_damages_the_disk_is_told_from_the_destination(tmp_path: Path) -> None:
    """Its own image boots, which nobody brought in; hers does at home; and the bytes are not those that were sent."""
    result = run_interop("private", "public-lite", tmp_path, ["public-lite:flip_bit_conv=510"], controls=True)
    whose = result.whose()
    assert whose["CV-2"] == only("conversion"), result.explain()
    assert whose["BT-1 BT-2"] == only("conversion"), result.explain()
    assert controls_of(result) == {"own-image": "clean", "back-home": "clean"}


def test_a_source_that_snapshots_another_disk_is_told_from_the_image(tmp_path: Path) -> None:
    """What came out of it lacks her app on both clouds, and her own instance still has it."""
    result = run_interop("private", "public-lite", tmp_path, ["private:old_snapshot"], controls=True)
    whose = result.whose()
    assert whose["AP-1 AP-5"] == only("source"), result.explain()
    assert {party for party, _ in whose.values()} == {"source", None}, "advice alone starts no control"
    assert controls_of(result)["restart-at-home"] == "clean"


def test_a_damaged_export_is_the_source_s_and_starts_no_control(tmp_path: Path) -> None:
    result = run_interop("private", "public-lite", tmp_path, ["private:flip_bit_at"], controls=True)
    assert result.whose() == {"EX-3": only("source")}, result.explain()
    assert not any('"event": "control"' in one for one in (result.folder / "journal.jsonl").open(encoding="utf-8"))


def test_an_image_that_boots_nowhere_is_told_from_its_cloud(tmp_path: Path) -> None:
    """The source runs its own golden image beside it."""
    disk = tmp_path / "nothing.raw"
    disk.write_bytes(bytes(8 << 20))
    options = ["--image-format", "raw"]
    result = run_interop(
        "private", "public-lite", tmp_path / "results", image=str(disk), options=options, controls=True
    )
    assert result.exit_code == 3, result.explain()
    assert result.whose() == {"export": only("image")}, result.explain()
    assert controls_of(result)["golden-image"] == "clean"


def test_a_metadata_service_that_nobody_reaches_is_the_destination_s(tmp_path: Path) -> None:
    result = run_interop("private", "rawstore", tmp_path, ["rawstore:md_off"], controls=True)
    whose = result.whose()
    assert whose, result.explain()
    assert {party for party, _ in whose.values()} <= {"destination", None}, result.explain()
    assert any("MD-2" in one and party == "destination" for one, (party, _) in whose.items()), result.explain()


def test_an_error_of_this_suite_is_its_own(tmp_path: Path) -> None:
    trips = ["-p", "selftests.flows.suite_trips"]
    result = run_interop("private", "public-lite", tmp_path, options=trips, controls=True)
    assert result.exit_code == 3, result.explain()
    assert result.whose() == {"auth": only("harness")}, result.explain()
    (cell,) = result.document["cells"]
    assert "KeyError('no such word')" in cell["attributions"][0]["reasons"][0]


def test_without_controls_what_needs_one_is_undecided_and_says_so(tmp_path: Path) -> None:
    result = run_interop("private", "public-lite", tmp_path, ["public-lite:no_boot"])
    assert result.whose()["BT-1 BT-2"][0] is None, result.explain()
    started = json.loads((result.folder / "journal.jsonl").open(encoding="utf-8").readline())
    assert "--no-controls" in started["argv"]
