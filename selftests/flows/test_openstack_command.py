"""The `openstack` command line takes both reference clouds, kept up by `golden-flows clouds`, for OpenStack."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from selftests.flows.openstack_clouds import clouds_up, command

pytestmark = pytest.mark.qemu

CONSOLE_TIMEOUT_S = 90.0


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Both clouds up; the environment in which `openstack` finds them."""
    with clouds_up(tmp_path_factory.mktemp("state"), "private", "public-lite") as env:
        yield env


@pytest.mark.parametrize("cloud", ["private", "public-lite"])
def test_a_server_is_listed_and_its_console_shown(clouds: dict[str, str], cloud: str) -> None:
    def openstack(*argv: str) -> str:
        return command("openstack", "--os-cloud", cloud, *argv, env=clouds)

    networks = [one["Name"] for one in json.loads(openstack("network", "list", "--internal", "-f", "json"))]
    images = [one["Name"] for one in json.loads(openstack("image", "list", "-f", "json"))]
    assert "golden-pocket" in images
    nics = [part for name in sorted(networks) for part in ("--network", name)]
    openstack("server", "create", "--wait", "--image", "golden-pocket", "--flavor", "pocket", *nics, "by-hand")
    listed = json.loads(openstack("server", "list", "-f", "json"))
    assert [(one["Name"], one["Status"]) for one in listed] == [("by-hand", "ACTIVE")]
    deadline = time.monotonic() + CONSOLE_TIMEOUT_S
    while "guest: ssh started" not in (console := openstack("console", "log", "show", "by-hand")):
        assert time.monotonic() < deadline, console
    openstack("server", "delete", "--wait", "by-hand")
    assert json.loads(openstack("server", "list", "-f", "json")) == []
