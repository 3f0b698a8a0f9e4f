"""The guideline and the checks ask for one another."""

from __future__ import annotations

import json
import re
import tomllib
from importlib import resources

import jsonschema
import pytest
from refclouds.faults import FAULTS

from golden_flows.errors import UsageError
from golden_flows.guideline import CURRENT, load_checks, load_guideline
from golden_flows.judging import READ_INSIDE
from golden_flows.model.facts import Facts
from golden_flows.model.guideline import Level, Requirement
from golden_flows.model.stage import Stage
from golden_flows.planning.expecting import LOOKS_INSIDE, RULES

GUIDELINE = load_guideline()
PROVED_BY_FACTS_ALONE = {
    "TX-6": "it judges our own mover",
    "BT-3": "it judges the image",
    "BT-7": "it judges what the image's own growpart made of its disk",
    "BT-10": "kernels of these days make entropy of their own, whatever the cloud gives them",
    "BT-11": "the reference agent gives a silent metadata service up sooner",
    "CV-9": "it takes minutes to be slow",
    "PV-7": "no reference cloud has flavors of several CPUs",
    "N2-8": "nova itself conveys one address of each family",
    "PV-3": "it judges what the image brings along",
}
GATE = (
    *("EX-2", "EX-3", "EX-4", "IM-2", "CV-2", "CV-3", "BT-1", "BT-2", "BT-4", "N1-4", "MD-3"),
    *("MD-10", "N2-1", "N2-2", "PV-1", "AU-1", "AU-3", "UD-1", "UD-3", "AP-1", "LC-2"),
)


FOLDER = resources.files("golden_flows") / "guidelines"
CATALOGUE = {"EX": 8, "TX": 6, "IM": 12, "CV": 9, "BT": 11, "N1": 8, "MD": 15, "N2": 12, "PV": 7, "AU": 11, "UD": 8}
CATALOGUE |= {"AP": 5, "LC": 3}
"""The catalogue of checks that the first guideline was drawn from, 115 of them: how many ids each part has, from 1.

Source: section 2 of the reference on guests and formats that this project began with.
"""


def schema() -> dict[str, object]:
    document: dict[str, object] = json.loads((FOLDER / "guideline.schema.json").read_text("utf-8"))
    return document


def test_every_guideline_is_valid_by_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    files = [one for one in FOLDER.iterdir() if one.name.endswith(".toml")]
    assert files
    for file in files:
        document = tomllib.loads(file.read_text("utf-8"))
        jsonschema.Draft202012Validator(schema()).validate(document)
        assert file.name == f"{document['version']}.toml"


@pytest.mark.parametrize(
    "broken",
    [
        {"level": "mandatory"},
        {"stage": "lunch"},
        {"id": "EX1"},
        {"faults": "nd_empty"},
        {"remdy": "typo"},
        {"title": ""},
    ],
    ids=str,
)
def test_the_schema_refuses_what_nobody_meant(broken: dict[str, object]) -> None:
    document = tomllib.loads((FOLDER / f"{CURRENT}.toml").read_text("utf-8"))
    document["checks"][0] |= broken
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate(document)


def test_the_whole_catalogue_is_judged_or_told_to_be_beyond_observation() -> None:
    catalogue = {f"{part}-{number}" for part, count in CATALOGUE.items() for number in range(1, count + 1)}
    assert len(catalogue) == 115
    judged, beyond = {one.id for one in GUIDELINE.requirements}, {one.id for one in GUIDELINE.not_observable}
    assert catalogue - judged - beyond == set()
    assert not judged & beyond


def test_a_check_says_when_it_applies_where_a_plan_would_not_promise_it() -> None:
    inside = {name for name, one in load_checks().items() if set(one.needs) & READ_INSIDE}
    conditional = {one.id for one in GUIDELINE.requirements if one.applies}
    assert conditional == (set(RULES) | LOOKS_INSIDE | inside)


def test_the_guideline_names_every_check_and_no_other() -> None:
    named = [one.id for one in GUIDELINE.requirements]
    assert sorted(named) == sorted(load_checks())
    assert GUIDELINE.version == CURRENT


@pytest.mark.parametrize("one", GUIDELINE.requirements, ids=lambda one: one.id)
def test_a_requirement_says_all_a_reader_needs(one: Requirement) -> None:
    assert one.title
    assert one.source
    assert one.remedy
    assert len(one.title) <= 60


def test_every_fault_named_exists() -> None:
    named = {fault for one in GUIDELINE.requirements for fault in one.faults}
    assert named <= set(FAULTS)


def test_every_check_has_a_fault_or_a_reason_why_no_cloud_can_have_it() -> None:
    assert {one.id for one in GUIDELINE.requirements if not one.faults} == set(PROVED_BY_FACTS_ALONE)


def test_requirements_follow_the_story() -> None:
    order = [list(Stage).index(one.stage) for one in GUIDELINE.requirements]
    assert order == sorted(order)
    assert {one.stage for one in GUIDELINE.requirements} == set(Stage)


def test_the_minimum_gate_is_required() -> None:
    assert all(GUIDELINE[check_id].level is Level.REQUIRED for check_id in GATE)


@pytest.mark.parametrize("check_id", sorted(load_checks()))
def test_ids_are_of_the_catalogue_and_needs_are_facts(check_id: str) -> None:
    assert re.fullmatch(r"[A-Z][A-Z0-9]-\d{1,2}", check_id)
    needs = load_checks()[check_id].needs
    assert needs
    assert set(needs) <= set(Facts.__dataclass_fields__)


def test_what_an_option_asks_for_is_part_of_the_runs_that_have_it_and_of_no_other() -> None:
    of_option = {
        option: {one.id for one in GUIDELINE.requirements if one.option == option}
        for option in ("--return-trip", "--burst")
    }
    every = {one.id for one in GUIDELINE.requirements}
    trip, burst = {"RT-1", "RT-2", "RT-3"}, {"BU-1", "BU-2", "BU-3", "BU-4", "BU-5"}
    assert of_option == {"--return-trip": trip, "--burst": burst}
    assert {one.id for one in GUIDELINE.asked(()).requirements} == every - trip - burst
    assert {one.id for one in GUIDELINE.asked(["--burst"]).requirements} == every - trip
    assert GUIDELINE.asked(["--return-trip", "--burst"]) == GUIDELINE
    planned = {one.id for one in GUIDELINE.planned(["EX-1", "RT-2", "BU-1"]).requirements}
    assert planned == every - {"RT-1", "RT-3", "BU-2", "BU-3", "BU-4", "BU-5"}


def test_an_unknown_guideline_names_those_that_exist() -> None:
    with pytest.raises(UsageError, match=CURRENT):
        load_guideline("1999.01")
