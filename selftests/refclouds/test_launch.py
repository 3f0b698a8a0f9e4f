"""What the launcher refuses before anything is started, and the doctor finds before that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from golden_images import programs as image_programs
from refclouds import host, launch, profile, programs


def test_too_little_memory_for_xen_names_both_figures_and_the_cloud_that_does_with_less() -> None:
    public = profile.find("public")
    greedy = replace(public, guest=replace(public.guest, memory_mib_max=1 << 30))
    with pytest.raises(launch.CannotStart) as refused:
        launch._require_memory(greedy)
    assert "MiB are available" in refused.value.what
    assert "public-lite" in refused.value.remedy


def test_an_emulated_cloud_is_not_asked_for_a_hosts_memory() -> None:
    lite = profile.find("public-lite")
    launch._require_memory(replace(lite, guest=replace(lite.guest, memory_mib_max=1 << 30)))


def test_the_doctor_knows_of_the_programs_that_the_image_is_built_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(programs, "missing", lambda: {"nft": "nftables"})
    monkeypatch.setattr(image_programs, "SEARCH_PATH", str(tmp_path))
    found = host.look({})[0]
    assert (found.what, found.ok) == ("programs", False)
    for package in ("nftables", "binutils", "e2fsprogs"):
        assert package in found.remedy
    assert "binutils" in found.detail
