"""One look at one instance of the burst: its app's answer, its agent's report, and one session over SSH."""

from __future__ import annotations

from dataclasses import replace

from golden_flows.errors import InteropError, RecordError
from golden_flows.flows.instance import Instance
from golden_flows.flows.twin import identity_in
from golden_flows.guests.ssh import host_fingerprint
from golden_flows.guests.tcp import HttpAnswer
from golden_flows.model.burst import BurstNic, BurstServer, Told
from golden_flows.model.facts import BootFacts
from golden_flows.waiting import Deadline


def look_at(instance: Instance, boot: BootFacts, seen: BurstServer, deadline: Deadline) -> BurstServer:
    """With what could be found out by the deadline; ``error`` says what could not. Raises ``RecordError`` only."""
    try:
        boot = instance.testimony(boot, deadline)
        seen = replace(seen, told=_told(boot), error="" if boot.report else "its agent never reported")
        if not instance.login.asked:
            key = host_fingerprint(instance.address, access=instance.cloud.profile.access)
            return replace(seen, host_key=key)
        with instance.shell(boot.report, deadline) as shell:
            identity = identity_in(shell)
        return replace(seen, host_key=identity.host_key, machine_id=identity.machine_id)
    except RecordError:
        raise
    except InteropError as trouble:
        return replace(seen, error=trouble.what)


def _told(boot: BootFacts) -> Told | None:
    report = boot.report
    if report is None:
        return None
    ran = boot.earlier if boot.earlier and boot.earlier.user_data.ran_this_boot else report
    return Told(
        uuid=report.identity.uuid,
        hostname=report.identity.hostname,
        ec2_instance_id=report.identity.ec2_instance_id,
        user_data_sha256=ran.user_data.sha256,
        user_data_ran=ran.user_data.ran_this_boot,
        boot_id=report.boot_id,
        links=report.links,
        host_keys=report.host_key_fingerprints,
    )


def text_of(answer: HttpAnswer) -> str | None:
    """What the app said; None where it did not answer, or had nothing of that name."""
    return answer.body.decode("utf-8", "replace").strip() if answer.status == 200 else None


def nics_of(boot: BootFacts) -> tuple[BurstNic, ...]:
    """Its ports, with the addresses that the API gave them."""
    return tuple(
        BurstNic(
            network=one.network,
            mac=one.mac,
            addresses=tuple(one.fixed_ips or filter(None, (one.fixed_ip, one.fixed_ip6))),
        )
        for one in boot.ports
    )
