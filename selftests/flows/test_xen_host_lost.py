"""A Xen host that dies under its guests, seen as a user of the cloud sees it: by the `openstack` command line."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from selftests.flows.openstack_clouds import clouds_up, command
from selftests.flows.test_xen_flow import require_memory_for

pytestmark = pytest.mark.qemu

CLOUD = "public"
SEEN_TIMEOUT_S = 60.0


def host_process(state: Path) -> psutil.Process:
    """QEMU of the Xen host whose cloud keeps its state there."""
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if "guest=xen-host" in line and str(state) in line:
            return process
    raise AssertionError(f"no Xen host runs for {state}")


def test_guests_of_a_host_that_dies_are_in_error_and_the_next_one_gets_a_new_host(tmp_path: Path) -> None:
    require_memory_for(CLOUD)
    with clouds_up(tmp_path, CLOUD) as env:

        def openstack(*argv: str) -> Any:
            return json.loads(command("openstack", "--os-cloud", CLOUD, *argv, "-f", "json", env=env))

        create = ["server", "create", "--wait", "--image", "golden-pocket", "--flavor", "pocket"]
        create += ["--network", "flat", "--network", "multi"]
        assert openstack(*create, "lost")["status"] == "ACTIVE"
        host_process(tmp_path).kill()
        deadline = time.monotonic() + SEEN_TIMEOUT_S
        while (lost := openstack("server", "show", "lost"))["status"] != "ERROR":
            assert time.monotonic() < deadline, lost
        assert "the Xen host ended with -9" in str(lost["fault"]), lost
        assert openstack(*create, "next")["status"] == "ACTIVE"
