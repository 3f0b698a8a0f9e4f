"""What was found of both clouds, with what our servers on them showed."""

from __future__ import annotations

from dataclasses import replace

from golden_flows.flows.declared import both
from golden_flows.model.discovery import CloudSeen, Discovery
from selftests.golden_flows.checks.facts_builder import healthy_facts

SRC, DST = Discovery(files_max=0), Discovery(files_max=5)


def test_each_cloud_is_seen_with_its_own_server_and_the_network_of_its_first_nic() -> None:
    facts = healthy_facts()
    found = both(facts, {facts.pair.src: SRC, facts.pair.dst: DST})
    assert found is not None
    assert (found.src.discovery, found.dst.discovery) == (SRC, DST)
    assert facts.boot is not None
    assert found.dst.network == facts.boot.ports[0].network
    assert found.dst.console_status == facts.boot.console_status


def test_without_a_server_nothing_of_one_is_known_and_a_cloud_that_nobody_looked_at_is_told_of_by_none() -> None:
    facts = replace(healthy_facts(), boot=None)
    found = both(facts, {facts.pair.src: SRC, facts.pair.dst: DST})
    assert found is not None
    assert found.dst == CloudSeen(discovery=DST)
    assert both(facts, {facts.pair.src: SRC}) is None
