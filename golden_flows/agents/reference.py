"""The reference guest agent's reports, schema 1. Everything in them is hostile until parsed here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from golden_flows.agents.console_frames import DOCUMENT_LIMIT_BYTES, MARKER, documents
from golden_flows.agents.fields import LIST_LIMIT, Fields
from golden_flows.agents.xen_fields import hypervisor_of, xenstore_of
from golden_flows.errors import GuestError
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.account import PasswordPost
from golden_flows.model.config_drive import ConfigDriveSeen
from golden_flows.model.facts import GuestFiles
from golden_flows.model.guest import (
    AgentPhase,
    Block,
    Channel,
    Consoles,
    DhcpLease,
    DriverBundle,
    Drivers,
    Getty,
    GuestIdentity,
    GuestReport,
    GuestTools,
    Link,
    MetadataRequest,
    Route,
    Service,
    UserDataRun,
    canonical_mac,
)
from golden_flows.model.ipv6 import Dhcp6Lease

CONSOLE_MARKER = MARKER
CONFIGURES_LATER_NICS = True
"""NICs that come after its report; see ``flows.hotplug``."""
CANNOT: Mapping[str, str] = {}
KEEPS_RECORD = True
LAST_PHASE = "userdata"
"""A report that has this phase is the last one of its boot."""
STATUS_PATH = "/run/guest-agent/status.json"
SCHEMA = 1

# lsinitramfs where there is one; else busybox and friends. A compressed initramfs that neither opens leaves no line,
# and the check then says that it could not see.
_INITRAMFS = r"""
r=$(uname -r)
for f in /boot/initrd.img-$r /boot/initramfs-$r.img /boot/initrd.img; do
  [ -f "$f" ] || continue
  if command -v lsinitramfs >/dev/null 2>&1; then lsinitramfs "$f"
  elif command -v lsinitrd >/dev/null 2>&1; then lsinitrd "$f"
  else zcat "$f" 2>/dev/null | cpio -t 2>/dev/null; fi
  break
done | grep -o '[^/ ]*\.ko[.a-z0-9]*$'
"""
_BUILTIN = r"""sed 's/.*\///' "/lib/modules/$(uname -r)/modules.builtin" 2>/dev/null"""
_ON_DISK = r"""find "/lib/modules/$(uname -r)/" -name '*.ko*' 2>/dev/null | sed 's/.*\///'"""
# The golden image's getty notes each of its starts there, a line each. One that has started twice may be starting
# again and again: init lets a second pass between.
_GETTYS = r"""
cd /run/gettys 2>/dev/null || exit 0
for line in *; do [ "$(wc -l <"$line")" -gt 1 ] && sleep 4 && break; done
cat /sys/class/tty/console/active
for line in *; do
  exists=no
  case $line in
    ttyS*) [ "$(cat "/sys/class/tty/$line/type" 2>/dev/null || echo 0)" != 0 ] && exists=yes ;;
    *) [ -c "/dev/$line" ] && (: <>"/dev/$line") 2>/dev/null && exists=yes ;;
  esac
  [ -f "$line" ] && echo "$line $exists $(wc -l <"$line")"
done
"""
_UDEV_RULES = "/etc/udev/rules.d/70-persistent-net.rules"


def parse_status(document: Mapping[str, object], *, source: str = "ssh") -> GuestReport:
    """A report from its JSON document. Raises ``GuestError`` naming the key that is wrong."""
    top = Fields(document)
    if top.integer("schema") != SCHEMA:
        raise GuestError(
            f"the guest's report has schema {document.get('schema')!r}, not {SCHEMA}", "is it another version's agent?"
        )
    metadata, auth = top.object("metadata"), top.object("auth")
    identity, drivers = top.object("identity"), top.object("drivers")
    block, user_data = top.object("block"), top.object("user_data")
    hypervisor, xenstore, tools = top.object("hypervisor"), top.object("xenstore"), top.object("tools")
    consoles, drive = top.object("consoles"), top.object("config_drive")
    return GuestReport(
        run=top.text("run", ""),
        boot_id=top.text("boot_id"),
        kernel=top.text("kernel", ""),
        verdict=top.text("verdict"),
        reasons=top.texts("reasons"),
        phases=top.each("phases", _phase),
        identity=_identity(identity) if identity else GuestIdentity(),
        channels=top.each("channels", _channel),
        listing=metadata.text_map("listing") if metadata else {},
        requests=metadata.each("requests", _request) if metadata else (),
        config_drive=_config_drive(drive) if drive else None,
        network_data=top.untrusted("network_data"),
        leases=top.each("dhcp", _lease),
        leases6=top.each("dhcp6", _lease6),
        links=top.each("links", _link),
        links_before_drivers=top.each("links_before_drivers", _link),
        routes=top.each("routes", _route),
        drivers=_drivers(drivers) if drivers else Drivers(),
        block=_block(block) if block else Block(),
        host_key_fingerprints=auth.each("host_keys", lambda one: one.text("fingerprint", "")) if auth else (),
        authorized_key_fingerprints=_authorized(auth) if auth else None,
        password_set=bool(auth and auth.flag("password_set")),
        password_post=_password_post(post) if auth and (post := auth.object("password_post")) else None,
        user_data=_user_data(user_data) if user_data else UserDataRun(),
        hypervisor=hypervisor_of(hypervisor) if hypervisor else None,
        xenstore=xenstore_of(xenstore) if xenstore else None,
        tools=_tools(tools) if tools else None,
        consoles=_consoles(consoles) if consoles else None,
        services=top.each("services", _service) if top.has("services") else None,
        source=source,
    )


def _authorized(auth: Fields) -> tuple[str, ...] | None:
    """Fingerprints of the keys let in; None where one is no key at all: a bad key must not cost the whole report."""
    try:
        return auth.texts("key_fingerprints")
    except GuestError:
        return None


def _password_post(one: Fields) -> PasswordPost:
    return PasswordPost(verdict=one.text("verdict"), reason=one.text("reason", ""), status=one.integer("status"))


def from_console(text: str, run: str | None) -> tuple[GuestReport, ...]:
    """Every whole report on a console, newest last; of run ``run`` only, where one is given
    (or of an agent that could not learn its run).

    A document that is not a report is passed over: anybody in the guest can write to its console.
    """
    reports = []
    for document in documents(text, run):
        try:
            reports.append(parse_status(document, source="console"))
        except GuestError:
            continue
    return tuple(reports)


def says_done(console: str) -> bool:
    """The console has the report itself."""
    return False


def progress(console: str) -> str:
    """Nothing: its boots are over before anybody grows impatient."""
    return ""


def links_on(console: str) -> tuple[Link, ...]:
    """None: its reports tell of them, and only they."""
    return ()


def is_last(report: GuestReport) -> bool:
    """All phases are over, or the guest is about to reboot."""
    return report.awaits_reboot or any(phase.name == LAST_PHASE for phase in report.phases)


def read(shell: GuestShell, console: Callable[[], str] = str) -> GuestReport:
    """The report as it lies in the guest. Raises ``GuestError``."""
    content = shell.read_file(STATUS_PATH, DOCUMENT_LIMIT_BYTES)
    if content is None:
        raise GuestError(f"the guest has no {STATUS_PATH}", "the agent has not reported (yet), or is not installed")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise GuestError(f"{STATUS_PATH} in the guest is not JSON") from error
    if not isinstance(document, dict):
        raise GuestError(f"{STATUS_PATH} in the guest is not a JSON object")
    return parse_status(document)


def read_files(shell: GuestShell) -> GuestFiles:
    """Files of the running guest that some checks read. Works with busybox and with a full system."""
    early, builtin = _module_names(shell, _INITRAMFS), _module_names(shell, _BUILTIN)
    return GuestFiles(
        fstab=_text_of(shell, "/etc/fstab"),
        cmdline=_text_of(shell, "/proc/cmdline"),
        udev_net_rules=_text_of(shell, _UDEV_RULES),
        # Without the list of the initramfs, the built-in drivers alone would only mislead.
        initramfs_modules=tuple(sorted({*early, *builtin})) if early else None,
        modules_on_disk=_module_names(shell, _ON_DISK) or None,
        consoles=_parse_gettys(shell.run(_GETTYS, timeout_s=30.0).stdout.decode("ascii", "replace")),
    )


def _parse_gettys(told: str) -> Consoles | None:
    """The active consoles, then ``LINE yes|no STARTS`` for each getty; None where there is no such record."""
    first, *lines = told.splitlines()[:LIST_LIMIT] or [""]
    words = [line.split() for line in lines]
    gettys = tuple(
        Getty(line=one[0], exists=one[1] == "yes", respawns=max(0, int(one[2]) - 1), started=int(one[2]) > 0)
        for one in words
        if len(one) == 3 and one[2].isdecimal() and len(one[2]) < 10
    )
    return Consoles(active=tuple(first.split()), gettys=gettys) if gettys else None


def _text_of(shell: GuestShell, path: str) -> str | None:
    content = shell.read_file(path, 64 * 1024)
    return None if content is None else content.decode("utf-8", "replace")


def _module_names(shell: GuestShell, script: str) -> tuple[str, ...]:
    """One file name of a module per line, as module names (``virtio_blk``); empty when nothing could be read."""
    lines = shell.run(script, timeout_s=30.0).stdout.decode("ascii", "replace").split()
    return tuple(sorted({line.partition(".ko")[0].replace("-", "_") for line in lines if ".ko" in line}))


def _phase(one: Fields) -> AgentPhase:
    return AgentPhase(
        name=one.text("name"),
        verdict=one.text("verdict"),
        reason=one.text("reason", ""),
        began_s=one.number("began_s"),
        ended_s=one.number("ended_s"),
    )


def _identity(one: Fields) -> GuestIdentity:
    return GuestIdentity(
        uuid=one.text_or_none("uuid"),
        hostname=one.text_or_none("hostname"),
        name=one.text_or_none("name"),
        smbios_uuid=one.text_or_none("smbios_uuid"),
        smbios_product=one.text_or_none("smbios_product"),
        smbios_vendor=one.text_or_none("smbios_vendor"),
        ec2_instance_id=one.text_or_none("ec2_instance_id"),
    )


def _config_drive(one: Fields) -> ConfigDriveSeen:
    return ConfigDriveSeen(
        device=one.text("device", ""),
        filesystem=one.text("filesystem", ""),
        label=one.text("label", ""),
        extensions=one.texts("extensions"),
        names=one.texts("names"),
        error=one.text("error", ""),
        mode=one.text_or_none("mode"),
        admin_pass=one.flag("admin_pass"),
        kept=one.text_map("kept"),
    )


def _channel(one: Fields) -> Channel:
    parts = one.object("vendor_data2")
    return Channel(
        name=one.text("name"),
        present=bool(one.flag("present")),
        used=bool(one.flag("used")),
        reason=one.text("reason", ""),
        keys={name: value for name, value in one.text_map("keys").items() if value is not None},
        vendor_parts={name: parts.integer(name) for name in parts.names()} if parts else None,
    )


def _request(one: Fields) -> MetadataRequest:
    return MetadataRequest(
        path=one.text("path"),
        status=one.integer("status"),
        content_type=one.text_or_none("content_type"),
        bytes=one.integer("bytes"),
        sha256=one.text_or_none("sha256"),
        elapsed_s=one.number("elapsed_s"),
        json_ok=one.flag("json_ok"),
        error=one.text_or_none("error"),
    )


def _lease(one: Fields) -> DhcpLease:
    return DhcpLease(
        interface=one.text("interface"),
        mac=_mac(one),
        ip=one.text("ip"),
        prefixlen=one.integer("prefixlen") or 0,
        routers=one.texts("routers"),
        dns=one.texts("dns"),
        mtu=one.integer("mtu"),
        lease_s=one.integer("lease_s"),
        server_id=one.text_or_none("server_id"),
        classless_routes=one.each(
            "classless_routes", lambda route: (route.text("destination"), route.text("gateway", ""))
        ),
        ntp=one.texts("ntp"),
        search=one.texts("search"),
    )


def _lease6(one: Fields) -> Dhcp6Lease:
    return Dhcp6Lease(
        interface=one.text("interface"),
        mac=_mac(one),
        mode=one.text("mode", ""),
        ip=one.text_or_none("ip"),
        dns=one.texts("dns"),
        valid_s=one.integer("valid_s"),
    )


def _link(one: Fields) -> Link:
    return Link(
        name=one.text("name"),
        mac=_mac(one),
        driver=one.text_or_none("driver"),
        state=one.text_or_none("state"),
        mtu=one.integer("mtu"),
        addresses=one.texts("addresses"),
    )


def _mac(one: Fields) -> str:
    return canonical_mac(one.text("mac", ""))


def _route(one: Fields) -> Route:
    return Route(
        family=one.integer("family") or 4,
        destination=one.text("destination"),
        gateway=one.text_or_none("gateway"),
        interface=one.text("interface", ""),
    )


def _drivers(one: Fields) -> Drivers:
    bundle = one.object("bundle")
    return Drivers(
        wanted_macs=one.texts("wanted_macs"),
        bundle=_bundle(bundle) if bundle else None,
        verdict=one.text("verdict", "skipped"),
        reason=one.text("reason", ""),
        seconds=one.number("seconds"),
        reboot=one.text_or_none("reboot"),
        previous_boot_id=one.text_or_none("previous_boot_id"),
    )


def _tools(one: Fields) -> GuestTools:
    bundle = one.object("bundle")
    return GuestTools(
        bundle=_bundle(bundle) if bundle else None,
        verdict=one.text("verdict", "skipped"),
        reason=one.text("reason", ""),
        running=bool(one.flag("running")),
        version=one.text_or_none("version"),
    )


def _consoles(one: Fields) -> Consoles:
    return Consoles(active=one.texts("active"), gettys=one.each("gettys", _getty))


def _getty(one: Fields) -> Getty:
    exists, respawns = bool(one.flag("exists")), one.integer("respawns") or 0
    return Getty(line=one.text("line"), exists=exists, respawns=respawns, started=exists or respawns > 0)


def _service(one: Fields) -> Service:
    return Service(name=one.text("name"), state=one.text("state"), restarts=one.integer("restarts") or 0)


def _bundle(one: Fields) -> DriverBundle:
    return DriverBundle(
        url=one.text("url", ""),
        kernel=one.text("kernel", ""),
        sha256_expected=one.text("sha256_expected", ""),
        sha256_actual=one.text_or_none("sha256_actual"),
        bytes=one.integer("bytes"),
        modules=one.texts("modules"),
    )


def _block(one: Fields) -> Block:
    return Block(
        root_device=one.text_or_none("root_device"),
        root_driver=one.text_or_none("root_driver"),
        cmdline_root=one.text_or_none("cmdline_root"),
        fstab_root=one.text_or_none("fstab_root"),
    )


def _user_data(one: Fields) -> UserDataRun:
    return UserDataRun(
        present=bool(one.flag("present")),
        bytes=one.integer("bytes"),
        sha256=one.text_or_none("sha256"),
        ran_this_boot=bool(one.flag("ran_this_boot")),
        run_count=one.integer("run_count") or 0,
        exit_code=one.integer("exit_code"),
        uid=one.integer("uid"),
        network_up=one.flag("network_up"),
        mended_parts=one.integer("mended_parts") or 0,
        failed_parts=sum(verdict != "ok" for verdict in one.each("parts", lambda part: part.text("verdict", ""))),
    )
