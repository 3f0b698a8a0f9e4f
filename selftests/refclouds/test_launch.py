"""What the launcher refuses before anything is started."""

from __future__ import annotations

from dataclasses import replace

import pytest
from refclouds import launch, profile


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
