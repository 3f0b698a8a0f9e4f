"""pytest's face of the suite: its options.

Without ``--src``/``--dst`` the plugin is silent, so that it neither disturbs nor slows other test suites in the same
environment: the run itself (and openstacksdk with it) is imported only when there is one.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from golden_flows.guideline import CURRENT
from golden_flows.model.burst import DEFAULT_COUNT

if TYPE_CHECKING:
    from golden_flows.session import Session
    from interop_tests.run import InteropRun


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("golden flows", "OpenStack interoperability of pairs of clouds")
    group.addoption(
        "--src", default="", metavar="A[,B]", help="source clouds: names of clouds.yaml or reference clouds, or 'all'"
    )
    group.addoption("--dst", default="", metavar="C[,D]", help="destination clouds; may equal --src (a baseline)")
    group.addoption(
        "--image",
        default=None,
        metavar="NAME|FILE|URL",
        help="what Anne's instance starts from: an image on the source ([glance:]NAME), or a disk image of your own, "
        "FILE (with a '/' or a disk image's suffix) or http(s) URL (default: 'interop: image:' of each source)",
    )
    group.addoption(
        "--image-format",
        default=None,
        metavar="FORMAT",
        help="format of that FILE or URL: raw, qcow2, vhd, vmdk (default: detected, or refused where that is unsafe)",
    )
    group.addoption(
        "--image-property",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="Glance property to import that FILE or URL with (repeatable): os_admin_user=debian",
    )
    group.addoption(
        "--no-shims",
        action="store_true",
        help="judge what works natively only: supply nothing that a cloud lacks (by default a shim does, and is shown)",
    )
    group.addoption(
        "--return-trip",
        action="store_true",
        help="have Anne's instance come home again in the end: exported abroad, imported at home, booted (RT-1 …)",
    )
    group.addoption(
        "--burst",
        nargs="?",
        const=str(DEFAULT_COUNT),
        default=None,
        metavar="N",
        help="have N instances of the imported image at work at once in the end, each judged (BU-1 …; N if left out: "
        f"{DEFAULT_COUNT})",
    )
    group.addoption(
        "--shard",
        default="",
        metavar="NUMBER/OF",
        help="run this share of the pairs only, as 2/4; 'golden-flows merge' puts the runs of all shards together",
    )
    group.addoption(
        "--keep-export",
        action="store_true",
        help="keep each source's export as a RAW file in the results, with its sha256 (by default it goes straight on,"
        " or lies in a scratch that goes with the run)",
    )
    group.addoption(
        "--no-controls",
        action="store_true",
        help="when a stage fails, run no controls that tell whose it is (the destination's own image on the destination"
        ", Anne's image back on the source, the golden image on the same way); saves a few boots",
    )
    group.addoption(
        "--fault",
        action="append",
        default=[],
        metavar="CLOUD:FAULT[=VALUE]",
        help="tell a reference cloud of this run to have a named defect (repeatable); see 'golden-flows faults'",
    )
    group.addoption(
        "--variant",
        action="append",
        default=[],
        metavar="CLOUD:VARIANT[=VALUE]",
        help="tell a reference cloud of this run to be like that, which is benign (repeatable); see 'golden-flows "
        "variants'",
    )
    group.addoption(
        "--retell",
        type=_count,
        default=0,
        metavar="N",
        help="begin a pair's story anew, N times at most, where something could not be found out; what passes then is "
        "flagged flaky=1, and what failed once stays failed (default: %(default)s)",
    )
    group.addoption(
        "--waivers",
        default=None,
        metavar="FILE",
        help="failures that somebody answers for until a day (TOML: check, cells, reason, owner, until); every report "
        "lists them",
    )
    group.addoption(
        "--i-own-this-cloud",
        action="append",
        default=[],
        metavar="CLOUD",
        help="try hostile checks on this cloud as well: forged requests to its metadata service (repeatable; reference"
        " clouds count as owned)",
    )
    group.addoption(
        "--results", default="interop-results", metavar="FOLDER", help="where run folders go (default: %(default)s)"
    )
    group.addoption(
        "--guideline", default=CURRENT, metavar="DATE", help="which guideline to judge by (default: %(default)s)"
    )
    group.addoption(
        "--install",
        action="store_true",
        help="let reference clouds install missing Debian packages by sudo (root installs them without being told)",
    )


def _count(text: str) -> int:
    """Raises ``ValueError`` for what argparse is to refuse."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Begin the run before pytest's session: what cannot begin is one message and its own exit code."""
    if not (config.getoption("--src") or config.getoption("--dst")):
        return None
    from interop_tests.run import InteropRun

    _prepare_workers(config)
    run = InteropRun(config)
    code = run.begin()
    if code is None:
        config.pluginmanager.register(run, "golden-flows-run")
        # Each full collection would look at all that openstacksdk has imported, which stays anyway: of ten cells,
        # collecting took twice as long as plain pytest takes.
        gc.freeze()
    return code


def _prepare_workers(config: pytest.Config) -> None:
    """With pytest-xdist: refuse what would tell a story twice. Which worker gets what, ``scheduling`` decides."""
    if hasattr(config, "workerinput") or not config.pluginmanager.hasplugin("xdist"):
        return
    if config.option.dist == "each":
        raise pytest.UsageError("--dist each would tell every story once per worker: leave it out")
    if config.option.maxworkerrestart is None:
        config.option.maxworkerrestart = "0"  # what a lost worker has not judged is lost: the run is incomplete


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Golden flow items come from a plan; without one, say what is missing instead of skipping them."""
    wanted = {"interop", "pair", "check_id"} <= set(metafunc.fixturenames)
    if wanted and not metafunc.config.pluginmanager.hasplugin("golden-flows-run"):
        raise pytest.UsageError("name the pair of clouds: --src A --dst B (see `golden-flows clouds list`)")


@pytest.fixture(scope="session")
def interop(request: pytest.FixtureRequest) -> Session:
    """This process's share of the run."""
    run: InteropRun = request.config.pluginmanager.getplugin("golden-flows-run")
    return run.session
