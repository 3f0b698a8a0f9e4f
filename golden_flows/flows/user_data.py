"""A running guest is disturbed: a further NIC comes and goes, then it is stopped and started. User data ran once."""

from __future__ import annotations

from dataclasses import replace

from golden_flows.errors import InteropError, RecordError
from golden_flows.flows import application, shim_inside, watch, ways_in
from golden_flows.flows.hotplug import as_json, plug_and_unplug
from golden_flows.flows.instance import Instance
from golden_flows.flows.power import stop_and_start
from golden_flows.flows.record import Record
from golden_flows.flows.story import UserData
from golden_flows.model.facts import BootFacts, Facts, PowerFacts, UserDataFacts
from golden_flows.model.guest import GuestReport
from golden_flows.model.stage import Stage
from golden_flows.shims.metadata import MetadataShim
from golden_flows.waiting import Deadline


def disturb(
    guest: Instance, boot: BootFacts, sent: UserData, shim: MetadataShim | None, facts: Facts, to: Record
) -> Facts:
    """All of it. What keeps the guest from reporting again is a fact; nothing is raised but ``RecordError``."""
    if facts.auth and (not guest.login.asked or ways_in.is_in(facts.auth.attempts)):
        hotplug = plug_and_unplug(guest, boot, to.say)
        source = "Compute API, guest over SSH"
        to.keep("further-nic.json", as_json(hotplug), source, "application/json", stages=(Stage.SECONDARY_NIC,))
        facts = replace(facts, hotplug=hotplug)
    to.say("stopping and starting")
    power, after, error = _stop_and_start(guest, boot, shim, facts, to)
    first = boot.earlier if boot.earlier and boot.earlier.user_data.ran_this_boot else boot.report
    return replace(
        facts,
        power=power,
        user_data=UserDataFacts(
            sent_sha256=sent.sha256,
            sent_bytes=len(sent.content),
            first=first,
            after_reboot=after,
            reboot_error=error,
        ),
    )


def _stop_and_start(
    guest: Instance, boot: BootFacts, shim: MetadataShim | None, facts: Facts, to: Record
) -> tuple[PowerFacts | None, GuestReport | None, str]:
    """(how it went down and up, the report of the boot after that, why there is none), as far as it came."""
    power, after = None, None
    known = {one.boot_id for one in (boot.report, boot.earlier) if one is not None}
    cloud = guest.cloud
    try:
        app = application.ask_nonce(guest)
        power = replace(stop_and_start(cloud, guest.server_id), app_before=app.status == 200)
        if power.refused or power.seconds_to_shutoff is not None:
            again = guest.testimony(boot, Deadline.after(guest.profile.boot_timeout_s), not_boot_ids=known)
            after = shim_inside.later_boot(guest, shim, again.report, facts.agent_channels)
            ports = cloud.list_ports(guest.server_id, cloud.find_networks(cloud.profile.networks))
            power = replace(power, ports=ports)
            to.keep(f"{cloud.name}.anne.after-reboot.console.log", again.console, f"{cloud.name} os-getConsoleOutput")
            watch.console(to, cloud.name, "anne", again.console)
    except RecordError:
        raise
    except InteropError as trouble:
        return power, after, str(trouble)
    return power, after, "" if after else "the guest did not report again after a stop and a start"
