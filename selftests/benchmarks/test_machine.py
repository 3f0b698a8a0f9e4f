"""Bare machines are those of the reference clouds: a ratio of two different machines would say nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from refclouds.compute.flavors import OFFERED

from benchmarks.machine import FORMS, RAM_MIB

PROFILES = Path(__file__).resolve().parent.parent.parent / "fixtures" / "clouds"


@pytest.mark.parametrize("name", FORMS)
def test_a_bare_machine_has_the_hardware_of_its_cloud(name: str) -> None:
    guest = tomllib.loads((PROFILES / f"{name}.toml").read_text("utf-8"))["guest"]
    form = FORMS[name]
    assert form.disk_bus == guest["disk_bus"]
    assert [nic.model for nic in form.nics] == guest["nic_models"][: len(form.nics)]
    assert guest["machine"] == "pc"
    assert guest["cpu"] == "max,-erms"


def test_a_bare_machine_has_the_memory_of_the_smallest_flavor() -> None:
    assert next(one["ram"] for one in OFFERED if one["name"] == "pocket") == RAM_MIB
