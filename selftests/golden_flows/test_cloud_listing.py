from __future__ import annotations

from pathlib import Path

import pytest

from golden_flows import cloud_listing
from golden_flows.errors import UsageError
from golden_flows.planning.outlook import of_offer
from golden_flows.reference_clouds import Offer


def test_every_cloud_says_what_it_is_in_eighty_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    entries = {one["name"]: one for one in cloud_listing.entries()}
    private, xen = entries["private"], entries["public"]
    assert private["networks"] == ["private (10.10.0.0/24 DHCP)"]
    assert (private["hypervisor"], private["image_format"], private["auth"]) == ("qemu", "qcow2", ["key"])
    assert private["floating_ips"] == "172.24.4.0/24 from public"
    assert "xenstore" in xen["channels"]
    assert xen["memory_mib"] > private["memory_mib"] > 0
    assert entries["public-lite"]["guests_max"] >= 36
    told = cloud_listing.told(entries.values(), 80)
    assert "40 guests, 10240 MiB together" in told
    assert " ".join(told.split()).count("from a template") == 1
    assert all(len(line) <= 80 for line in told.splitlines())
    for name, one in entries.items():
        block = told.split(f"{name}: ", 1)[1].split("\n\n", 1)[0]
        assert f"{one['hypervisor']} ({one['machine']})" in block
        assert "down" in block


def test_a_profile_that_cannot_be_read_is_told_with_what_to_mend() -> None:
    entry = {"name": "mine", "error": "mine.toml: unknown key 'chanels'", "remedy": "did you mean 'channels'?"}
    assert "unknown key 'chanels'" in cloud_listing.told([entry])
    assert "did you mean 'channels'?" in cloud_listing.told([entry])


def test_a_typo_in_what_a_reference_profile_says_under_interop_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="cloud 'mine': interop has no key 'flavour'") as told:
        of_offer(Offer("mine", interop={"flavour": "pocket"}), None)
    assert "did you mean 'flavor'?" in told.value.remedy
