"""A twin of Anne's instance, from a snapshot of it; and Anne's own instance, rebuilt beside it.

Both boot side by side: the twin with gzip'd user data, the rebuilt one with a multipart.
"""

from __future__ import annotations

import contextlib
import hashlib
import shlex
from collections.abc import Callable, Collection
from dataclasses import replace

from golden_flows.errors import GuestError, InteropError, RecordError, Unsupported, shorten
from golden_flows.flows import application, files
from golden_flows.flows.instance import Instance
from golden_flows.flows.setting import SHELL_TIMEOUT_S, TRANSFER_TIMEOUT_S, Setting, request
from golden_flows.flows.story import APP_PORT, UPLOAD, UserData, user_data_in_gzip, user_data_in_parts
from golden_flows.guests.ssh import GuestShell, KeyPair, host_fingerprint
from golden_flows.guests.tcp import url_of
from golden_flows.model.facts import BootFacts
from golden_flows.model.guest import GuestReport
from golden_flows.model.network_data import bare_ip
from golden_flows.model.second_instance import LaterBoot, MachineIdentity, Neighbour, SecondInstanceFacts
from golden_flows.waiting import Deadline

_MACHINE_ID = "/etc/machine-id"
_FETCH = """\
u={url}
timeout 10 wget -qO- "$u" 2>/dev/null || timeout 10 curl -sf "$u" 2>/dev/null ||
  timeout 10 python3 -c "from urllib.request import urlopen; print(urlopen('$u').read().decode())" 2>/dev/null
"""


def boot_twin_and_rebuild(
    at: Setting,
    guest: Instance,
    boot: BootFacts,
    known: Collection[str],
    image_id: str,
    key: KeyPair,
    say: Callable[[str], None],
) -> SecondInstanceFacts:
    """The whole of it. What goes wrong on our side is in ``error``; nothing is raised.

    ``known``: boot ids of the first instance so far. ``image_id``: what it was launched from, and is rebuilt from.
    """
    uuid = boot.report.identity.uuid if boot.report else None
    facts = SecondInstanceFacts(first_uuid=uuid or boot.server_id, first=MachineIdentity())
    try:
        facts = replace(facts, first=_identity_of(guest, None))
        say("taking a snapshot for a twin")
        try:
            snapshot_id = guest.cloud.snapshot(guest.server_id, "anne-twin-image", Deadline.after(TRANSFER_TIMEOUT_S))
        except Unsupported as refused:
            return replace(facts, no_snapshot=refused.what, no_rebuild="not tried without a twin")
        return _both(at, guest, boot, known, (image_id, snapshot_id), key, say, facts)
    except InteropError as trouble:
        return replace(facts, error=str(trouble))


def _both(
    at: Setting,
    guest: Instance,
    boot: BootFacts,
    known: Collection[str],
    images: tuple[str, str],
    key: KeyPair,
    say: Callable[[str], None],
    facts: SecondInstanceFacts,
) -> SecondInstanceFacts:
    cloud, zipped, in_parts = guest.cloud, user_data_in_gzip(), user_data_in_parts()
    deadline = Deadline.after(2 * guest.profile.boot_timeout_s)
    no_rebuild = _rebuild(guest, images[0], in_parts)
    say("booting a twin of the snapshot" + ("" if no_rebuild else ", while the first instance is rebuilt"))
    twin = Instance(*(cloud, at.journal, at.run_id, say), properties=guest.properties, push_key=guest.push_key)
    asked = request(cloud, cloud.show_image(images[1]), "anne-twin", zipped, key, files.wanted(cloud, zipped))
    launched = twin.testimony(twin.launch(asked, deadline), deadline)
    facts = replace(facts, no_rebuild=no_rebuild, twin=later_boot(twin, launched, zipped))
    if launched.report is not None:
        facts = replace(facts, twin_identity=_identity_of(twin, launched.report))
    again = boot
    if not no_rebuild:
        state = cloud.wait_server(guest.server_id, deadline)
        again = replace(boot, status=state.status, fault=state.fault, report=None, earlier=None)
        again = guest.testimony(again, deadline, not_boot_ids=known)
        facts = replace(facts, rebuilt=later_boot(guest, again, in_parts))
    return replace(facts, neighbour=_ask_neighbour(guest, again, launched))


def _ask_neighbour(guest: Instance, boot: BootFacts, twin: BootFacts) -> Neighbour | None:
    """From the first instance, as any program there would; None where one of the two has no address."""
    if not boot.ports or not twin.ports or not guest.login.asked:
        return None
    first, peer = boot.ports[0], twin.ports[0].fixed_ip
    if not first.fixed_ip or not peer:
        return None
    seen = Neighbour(own=first.fixed_ip, peer=peer)
    try:
        ports = guest.cloud.list_ports(guest.server_id, guest.cloud.find_networks(guest.cloud.profile.networks))
        # By its id: a stop and a start may have changed its address, and a port that came later may be listed first.
        own = next((one.fixed_ip for one in ports if one.port_id == first.port_id), None) or first.fixed_ip
        seen = replace(seen, own=own)
        with guest.shell(boot.report, Deadline.after(SHELL_TIMEOUT_S)) as shell:
            url = url_of(peer, APP_PORT, UPLOAD)
            told = shell.run(_FETCH.format(url=shlex.quote(url)), timeout_s=40.0).stdout.decode("ascii", "replace")
    except RecordError:
        raise
    except InteropError as error:
        return replace(seen, error=error.what)
    lines = told.split()
    seen_as = lines[1].strip("[]") if len(lines) == 2 else ""
    return replace(seen, seen_as=seen_as) if bare_ip(seen_as) else replace(seen, stranger=shorten(told.strip(), 80))


def _identity_of(guest: Instance, report: GuestReport | None) -> MachineIdentity:
    """A twin that takes itself for its origin lets nobody in, and shows its host key all the same."""
    if guest.login.asked:
        with contextlib.suppress(GuestError), guest.shell(report, Deadline.after(SHELL_TIMEOUT_S)) as shell:
            identity = identity_in(shell)
            shell.run("sync")  # before a snapshot, what the guest has written is to be on its disk
            return identity
    return MachineIdentity(host_key=host_fingerprint(guest.address, access=guest.cloud.profile.access))


def boot_ids_of(guest: Instance, boot: BootFacts, after_reboot: GuestReport | None) -> set[str]:
    """Every boot of the first instance so far: its console still tells of them."""
    told = {one.boot_id for one in (boot.report, boot.earlier, after_reboot) if one is not None}
    return told | {one.boot_id for one in guest.reports()}


def _rebuild(guest: Instance, image_id: str, user_data: UserData) -> str:
    """Why it does not happen; nothing when it does, and then the login follows."""
    cloud = guest.cloud
    if not cloud.profile.carries_user_data:
        return f"{cloud.name} claims {', '.join(cloud.profile.channels)}: none carries user data"
    try:
        password = cloud.rebuild(guest.server_id, image_id, user_data.content)
    except Unsupported as refused:
        return refused.what
    guest.login = replace(guest.login, password=password if guest.login.password else None)
    return ""


def later_boot(guest: Instance, boot: BootFacts, user_data: UserData) -> LaterBoot:
    """A boot as it is told, and what Anne's app answers there."""
    answer = application.ask_nonce(guest) if boot.report is not None else None
    body = answer.body[:200].decode("utf-8", "replace").strip() if answer and answer.status == 200 else None
    return LaterBoot(
        server_id=guest.server_id,
        status=boot.status,
        fault=boot.fault,
        sent_sha256=user_data.sha256,
        report=boot.earlier if boot.earlier and boot.earlier.user_data.ran_this_boot else boot.report,
        nonce_expected=user_data.nonce,
        nonce_found=body,
    )


def identity_in(shell: GuestShell) -> MachineIdentity:
    """Of the machine that somebody is logged in to. Raises ``GuestError``."""
    content = shell.read_file(_MACHINE_ID, 4096) or b""
    known = content.strip() not in (b"", b"uninitialized")
    digest = hashlib.sha256(content.strip()).hexdigest() if known else ""
    return MachineIdentity(host_key=shell.host_key_fingerprint, machine_id=digest)
