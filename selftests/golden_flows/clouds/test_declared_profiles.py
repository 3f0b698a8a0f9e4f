"""Every reference cloud is what its profile declares, as far as its APIs tell without a server."""

from __future__ import annotations

from dataclasses import replace

import pytest
from refclouds import profile

from golden_flows.clouds.config import read_profile
from golden_flows.model.discovery import CloudSeen
from selftests.golden_flows.checks.facts_builder import discovered, healthy_facts, said
from selftests.golden_flows.clouds.conftest import Drive


@pytest.mark.parametrize("name", profile.names())
def test_a_reference_cloud_is_what_it_says(name: str, drive: Drive) -> None:
    declared = read_profile(name, profile.find(name).interop)
    found = drive(name).cloud.discover()
    assert not found.unread
    assert {one.name for one in found.networks or ()} >= set(declared.networks)
    assert declared.flavor in {one.name for one in found.flavors or ()}
    seen = CloudSeen(discovery=found, console_status=200, config_drive="config-drive" in declared.channels)
    facts = replace(healthy_facts(), dst=declared, discovered=replace(discovered(), dst=seen))
    assert said("DC-1", facts) == ()
