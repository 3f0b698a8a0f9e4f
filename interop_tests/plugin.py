"""pytest's face of the suite: its options.

Without ``--src``/``--dst`` the plugin is silent, so that it neither disturbs nor slows other test suites in the same
environment: the run itself (and openstacksdk with it) is imported only when there is one.
"""

from __future__ import annotations

import pytest

from golden_flows.guideline import CURRENT


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("golden flows", "OpenStack interoperability of pairs of clouds")
    group.addoption(
        "--src", default="", metavar="A[,B]", help="source clouds: names of clouds.yaml or reference clouds, or 'all'"
    )
    group.addoption("--dst", default="", metavar="C[,D]", help="destination clouds; may equal --src (a baseline)")
    group.addoption(
        "--fault",
        action="append",
        default=[],
        metavar="CLOUD:FAULT[=VALUE]",
        help="tell a reference cloud of this run to have a named defect (repeatable); see 'golden-flows faults'",
    )
    group.addoption(
        "--results", default="interop-results", metavar="FOLDER", help="where run folders go (default: %(default)s)"
    )
    group.addoption(
        "--guideline", default=CURRENT, metavar="DATE", help="which guideline to judge by (default: %(default)s)"
    )


def pytest_configure(config: pytest.Config) -> None:
    if not (config.getoption("--src") or config.getoption("--dst")):
        return
    from interop_tests.run import InteropRun

    config.pluginmanager.register(InteropRun(config), "golden-flows-run")
