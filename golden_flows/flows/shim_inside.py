"""A boot as the metadata shim in the guest saw it: where there is one, it reads the cloud's channel for the agent."""

from __future__ import annotations

from dataclasses import replace

from golden_flows.errors import GuestError
from golden_flows.flows.instance import Instance
from golden_flows.flows.setting import SHELL_TIMEOUT_S
from golden_flows.model.agent_channels import AgentChannels
from golden_flows.model.guest import GuestReport
from golden_flows.shims import metadata
from golden_flows.shims.metadata import MetadataShim
from golden_flows.waiting import Deadline


def first_boot(
    guest: Instance, shim: MetadataShim, report: GuestReport, known: AgentChannels
) -> tuple[AgentChannels, GuestReport]:
    """What the shim did, and the report with what it saw of the cloud in it. Nothing is raised: ``unseen`` says why."""
    try:
        return _read(guest, shim, report, known)
    except GuestError as error:
        return replace(known, shim=shim.name, through=shim.of, unseen=error.what), report


def later_boot(
    guest: Instance, shim: MetadataShim | None, report: GuestReport | None, known: AgentChannels
) -> GuestReport | None:
    """The report of a later boot, seen in the same way, so that the two can be compared. Raises ``GuestError``."""
    return report if shim is None or report is None else _read(guest, shim, report, known)[1]


def _read(
    guest: Instance, shim: MetadataShim, report: GuestReport, known: AgentChannels
) -> tuple[AgentChannels, GuestReport]:
    with guest.shell(report, Deadline.after(SHELL_TIMEOUT_S)) as shell:
        return metadata.read(shell, shim, report, known)
