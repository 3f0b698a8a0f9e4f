"""A real Xen host, booted in namespaces of its own."""

import json
import subprocess
import sys
from pathlib import Path

import golden_images
import platformdirs
import pytest
from refclouds import host, programs
from refclouds.errors import UsageError
from refclouds.xen import memory
from refclouds.xen.host import XenHostError

PROBE = Path(__file__).with_name("xen_host_probe.py")
LIMIT_S = 600  # two boots, on a machine that does other things beside
GUESTS_MIB = 256


@pytest.mark.qemu
def test_a_xen_host_boots_takes_a_port_s_nic_dies_and_comes_back(tmp_path: Path) -> None:
    if lacking := programs.missing():
        pytest.skip(f"not installed: {sorted(lacking)}")
    try:
        options = host.unshare_options()
        memory.require(GUESTS_MIB)
    except (UsageError, XenHostError) as error:
        pytest.skip(str(error))
    image = golden_images.ensure_xen_host(platformdirs.user_cache_path("golden-flows"), lambda line: None)
    done = subprocess.run(
        ["unshare", *options, "--", sys.executable, str(PROBE), str(image.xen.parent), str(tmp_path)],
        capture_output=True,
        text=True,
        env=programs.environment(),
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    print(json.dumps(seen, indent=1))
    assert seen["info"]["xen_version"] == image.xen_version.partition("+")[0]
    assert {"pv", "hvm", "hap"} <= set(seen["info"]["virt_caps"].split())
    assert seen["clock_off_s"] < 8
    assert seen["read_in_dom0"] == "outside"
    assert seen["flushed"]
    assert seen["read_after_forget"] == "newer"
    assert seen["same_bridge_again"]
    assert seen["through_the_port"] == [True, False]
    assert seen["links_after_detach"] == ["lo"]
    assert seen["death"].startswith("the Xen host ended with -9; console-dom0.log ends: ")
    assert seen["while_dead"].startswith("the Xen host does not run: it ended with -9")
    assert seen["through_the_port_again"] == [True, False]
