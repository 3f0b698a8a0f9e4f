"""One look at one instance of the burst: its agent's report, and one session over SSH."""

from __future__ import annotations

from dataclasses import replace

from golden_flows.errors import InteropError, RecordError
from golden_flows.flows.instance import Instance
from golden_flows.flows.twin import identity_in
from golden_flows.guests.ssh import host_fingerprint
from golden_flows.model.burst import BurstServer, Told
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
