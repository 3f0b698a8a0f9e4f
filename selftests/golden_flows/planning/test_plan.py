"""Plans by somebody who has never seen the cloud: its API, and a clouds.yaml entry that only logs in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from golden_flows.errors import UsageError
from golden_flows.guideline import load_checks
from golden_flows.model.discovery import Discovery
from golden_flows.planning.expecting import Ahead, Prospect, expect
from golden_flows.planning.outlook import Outlook
from golden_flows.planning.plan import PlanAhead, as_document, draw_up
from golden_flows.planning.text import render
from golden_flows.preparation import Asked
from golden_flows.reference_clouds import Told, start_error
from selftests.refclouds.api.conftest import PASSWORD, Running, golden, serve

__all__ = ["golden"]

Foreign = Callable[..., Running]


@pytest.fixture
def foreign(tmp_path: Path, golden: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Foreign]:
    """Starts a cloud's API; clouds.yaml has it under ``name`` with these ``interop:`` keys, or none at all."""
    running: list[Running] = []
    entries: dict[str, Any] = {}
    file = tmp_path / "clouds.yaml"
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))

    def start(profile: str, name: str = "mine", faults: Sequence[str] = (), **interop: object) -> Running:
        cloud = serve(profile, faults, tmp_path / f"state-{len(running)}", golden)
        running.append(cloud)
        entries[name] = {**cloud.auth("anne"), "region_name": "RegionOne"}
        if interop:
            entries[name]["interop"] = interop
        file.write_text(yaml.safe_dump({"clouds": entries}), "utf-8")
        return cloud

    yield start
    for cloud in running:
        cloud.stop()


def plan(src: str, dst: str, **asked: Any) -> PlanAhead:
    return draw_up(Asked([src], [dst], **asked))


def stored(cloud: Running) -> dict[str, int]:
    """How many the cloud has of what a run makes."""
    store = cloud.cloud.store
    return {
        "server": len(store.list("server")),
        "image": len(store.list("image")),
        "port": len(store.list("port")),
        "keypair": len(store.list("keypair")),
        "security_group": len(store.list("security_group")),
        "floatingip": len(store.list("floatingip")),
        "task": len(store.list("task")),
    }


def test_an_entry_that_only_logs_in_is_told_all_that_it_lacks(foreign: Foreign) -> None:
    foreign("public-lite")
    drawn = plan("mine", "mine")
    told = [f"{one.what} | {one.remedy}" for one in drawn.clouds["mine"].troubles]
    assert len(told) == 2
    assert "does not say which image Anne starts from" in told[0]
    assert "has 2 networks, and the profile names none | set 'interop: networks:' to some of: flat, multi" in told[1]
    assert not drawn.can_begin
    text = render(drawn)
    assert "cannot begin: cloud 'mine' has 2 networks" in text
    assert PASSWORD not in text + json.dumps(as_document(drawn))


def test_an_image_named_for_the_run_is_enough_where_there_is_one_network(foreign: Foreign) -> None:
    cloud = foreign("private")
    before = stored(cloud)
    drawn = plan("mine", "mine", image="golden-pocket")
    assert drawn.can_begin
    mine = drawn.clouds["mine"]
    assert [one.name for one in mine.networks or ()] == ["private"]
    assert (mine.flavor.name if mine.flavor else "") == "pocket", "the smallest that fits"
    assert mine.image_bytes == 4 << 20
    assert drawn.counts("mine") == {
        "keypair": 3,
        "security_group": 3,
        "server": 5,
        "port": 6,
        "snapshot": 2,
        "image": 11,
    }
    assert drawn.servers_at_once("mine") == 3
    (cell,) = drawn.cells
    assert "nobody said --i-own-this-cloud mine" in cell.of(Ahead.DOES_NOT)["MD-6"]
    assert "the server has one NIC" in cell.of(Ahead.DOES_NOT)["N2-1"]
    assert "ec2-http" in cell.of(Ahead.OPEN)["MD-11"]
    assert "declares no image_format" in cell.of(Ahead.OPEN)["CV-6"], "this cloud converts, and nobody says so"
    assert any("floating_network: public" in note for note in mine.notes)
    assert stored(cloud) == before, "a plan makes nothing"


def test_a_return_trip_is_planned_where_it_is_asked_for(foreign: Foreign) -> None:
    foreign("private")
    without, with_it = (plan("mine", "mine", image="golden-pocket", return_trip=one) for one in (False, True))
    more = {kind: count - without.counts("mine")[kind] for kind, count in with_it.counts("mine").items()}
    assert more == {"keypair": 1, "security_group": 1, "server": 1, "port": 1, "snapshot": 1, "image": 1}
    assert (without.servers_at_once("mine"), with_it.servers_at_once("mine")) == (3, 4)
    assert "at most 4 servers for each pair" in render(with_it)
    (cell,), (longer,) = without.cells, with_it.cells
    assert set(longer.checks) - set(cell.checks) == {"RT-1", "RT-2", "RT-3"}


def test_a_burst_is_planned_where_it_is_asked_for(foreign: Foreign) -> None:
    foreign("private")
    without, with_it = (plan("mine", "mine", image="golden-pocket", burst=one) for one in (0, 4))
    more = {kind: count - without.counts("mine")[kind] for kind, count in with_it.counts("mine").items()}
    assert more == {"keypair": 1, "security_group": 1, "server": 4, "port": 4, "snapshot": 0, "image": 0} | (
        {"floating_ip": more["floating_ip"]} if "floating_ip" in more else {}
    )
    assert with_it.servers_at_once("mine") == without.servers_at_once("mine") + 4
    (cell,), (longer,) = without.cells, with_it.cells
    assert set(longer.checks) - set(cell.checks) == {"BU-1", "BU-2", "BU-3", "BU-4", "BU-5"}
    assert "the server has one NIC" in longer.of(Ahead.DOES_NOT)["BU-4"]


def test_a_burst_that_does_not_fit_cannot_begin(foreign: Foreign) -> None:
    foreign("private")
    drawn = plan("mine", "mine", image="golden-pocket", burst=500)
    (trouble,) = drawn.clouds["mine"].troubles
    assert not drawn.can_begin
    assert "--burst 500 does not fit into cloud 'mine': quota of" in trouble.what
    assert trouble.remedy.startswith("the largest that fits: --burst ")


def test_a_cloud_called_one_s_own_is_tried_with_hostile_questions(foreign: Foreign) -> None:
    foreign("private")
    (cell,) = plan("mine", "mine", image="golden-pocket", owned=["mine"]).cells
    assert cell.checks["MD-6"].ahead is Ahead.APPLIES


def test_a_cloud_that_cannot_begin_spares_the_cells_of_the_others(foreign: Foreign) -> None:
    foreign("private", "good", image="golden-pocket")
    foreign("public-lite", "bad")
    drawn = draw_up(Asked(["good"], ["good", "bad"]))
    assert [bool(one.checks) for one in drawn.cells] == [True, False]
    assert "good → bad: cannot begin" in render(drawn)
    assert sum(one.name == "anne-home" for one in drawn.makes["good"] if one.kind == "server") == 1


def test_what_could_not_be_read_is_decided_in_the_run(foreign: Foreign) -> None:
    """Of a network without subnets that may be read nobody knows what it has; of limits, whether files are taken."""
    foreign("private")
    drawn = plan("mine", "mine", image="golden-pocket")
    known, checks = drawn.clouds["mine"], load_checks()
    found = known.discovery or Discovery()
    bare = tuple(replace(one, subnets=()) for one in known.networks or ())
    files = replace(known.profile, channels=("openstack-http", "config-drive"))
    blind: dict[str, tuple[Outlook, str]] = {
        "networks": (replace(known, networks=None), "N2-1 N2-2 N1-1 N1-7 N1-8 N2-7 N2-10 MD-8"),
        "subnets": (replace(known, networks=bare), "N1-1 N1-7 N1-8 N2-7 N2-10 MD-8"),
        "import methods": (replace(known, discovery=replace(found, import_methods=None)), "IM-2"),
        "files max": (replace(known, profile=files, discovery=replace(found, files_max=None)), "UD-8"),
    }
    for unread, (cloud, open_ones) in blind.items():
        for name in open_ones.split():
            said = expect(checks[name], Prospect(known, cloud, owned=False))
            assert (said.ahead, unread in said.why) == (Ahead.OPEN, True), (name, said)
    unknown = replace(drawn, clouds={"mine": replace(known, discovery=replace(found, import_methods=None))})
    assert "import        unknown" in render(unknown)


@pytest.mark.parametrize(
    ("interop", "what", "remedy"),
    [
        ({"networks": ["privat"]}, "no network named 'privat'", "networks: private, public"),
        ({"flavor": "pockett"}, "no flavor 'pockett'", "flavors: pocket, small"),
        ({"image": "golden-pockett"}, "no active image 'golden-pockett'", "active images: golden-pocket"),
        ({"floating_network": "pubic"}, "no network 'pubic' to take floating IPs from", "external networks: public"),
        ({"floating_network": "private"}, "no external network 'private'", "external networks: public"),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(
    foreign: Foreign, interop: dict[str, object], what: str, remedy: str
) -> None:
    foreign("private", **{"image": "golden-pocket", **interop})
    (trouble,) = plan("mine", "mine").clouds["mine"].troubles
    assert what in trouble.what
    assert remedy in trouble.remedy


def test_an_image_that_outgrows_the_flavor_s_disk_is_seen_before_anything_is_made(foreign: Foreign) -> None:
    cloud = foreign("private", image="golden-pocket", flavor="small")
    large = next(one for one in cloud.cloud.store.list("image") if one["name"] == "golden-pocket")
    cloud.cloud.store.patch("image", large["id"], virtual_size=3 << 30)
    (trouble,) = plan("mine", "mine").clouds["mine"].troubles
    assert (
        "flavor 'small' of cloud 'mine' has a disk of 1073741824 bytes, and the image needs 3221225472" in trouble.what
    )
    assert trouble.remedy == "flavors that it fits: pocket"


def test_a_cloud_that_does_not_answer_is_a_trouble_of_its_own(foreign: Foreign) -> None:
    foreign("private", image="golden-pocket").stop()
    drawn = plan("mine", "mine")
    assert drawn.clouds["mine"].where == "does not answer"
    assert not drawn.can_begin


def test_reference_clouds_are_planned_by_their_profiles_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clouds.yaml").write_text("clouds: {}\n", "utf-8")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    drawn = plan("private", "public-lite")
    assert {name: one.where for name, one in drawn.clouds.items()} == dict.fromkeys(
        ("private", "public-lite"), "reference cloud, not started for a plan"
    )
    assert drawn.counts("private") == {
        "keypair": 1,
        "security_group": 1,
        "server": 1,
        "floating_ip": 1,
        "snapshot": 1,
        "port": 1,
    }
    assert all(len(line) <= 80 for line in render(drawn, 80).splitlines())
    everything: Mapping[str, Any] = as_document(drawn)
    (cell,) = everything["cells"]
    assert set(cell["checks"]) == {one.id for one in drawn.guideline.requirements}


def test_a_reference_cloud_that_could_not_be_started_is_told_as_a_run_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clouds.yaml").write_text("clouds: {}\n", "utf-8")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    asked: list[str] = []

    def check(name: str, told: Told, install: bool, image: str | None) -> None:
        asked.append(name)
        if name == "vmdk":
            raise start_error(name, 2, ["error: programs are missing: qemu-img", "remedy: apt-get install qemu-utils"])

    with pytest.raises(UsageError, match="programs are missing: qemu-img") as caught:
        draw_up(Asked(["private"], ["vmdk"]), check=check)
    assert (asked, caught.value.remedy) == (["private", "vmdk"], "apt-get install qemu-utils")


def test_a_format_is_said_of_a_file_alone() -> None:
    for image in (None, "golden-pocket"):
        with pytest.raises(UsageError, match="--image-format and --image-property are for --image FILE or URL"):
            plan("private", "private", image=image, image_format="raw")


def test_of_many_cells_only_the_counts_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clouds.yaml").write_text("clouds: {}\n", "utf-8")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    drawn = draw_up(Asked(["private", "vmdk", "rawstore"], ["private", "vmdk"]))
    text = render(drawn)
    assert len(drawn.cells) == 6
    assert text.count(" do not, ") == 6
    assert "do not apply\n" not in text
    assert sum(one.name == "anne-home" for one in drawn.makes["vmdk"] if one.kind == "server") == 1, (
        "once for all cells"
    )
    assert sum(one.name == "anne" for one in drawn.makes["vmdk"] if one.kind == "server") == 3, "for each cell"


def test_names_that_nothing_has_are_refused_as_in_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clouds.yaml").write_text("clouds: {}\n", "utf-8")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    with pytest.raises(UsageError, match="no cloud is called 'privat'"):
        plan("privat", "public-lite")
    with pytest.raises(UsageError, match="there is no such file"):
        plan("private", "public-lite", image="./nowhere.qcow2")
