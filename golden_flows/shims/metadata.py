"""Shims that tell a guest what its cloud tells by another channel than its agent reads; see docs/decisions/0009.

Anne puts the shim into her instance at home, over SSH, before its disk leaves: abroad nobody can log in before the
agent has been told who may. It begins to work at the next boot, before the agent, and steps aside where it is not
needed.
"""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, replace
from importlib import resources

from golden_flows.agents import reference
from golden_flows.errors import GuestError, shorten
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.agent_channels import DID_NOT_RUN, PUSHED, SHIMS_TELL_BY, AgentChannels
from golden_flows.model.guest import GuestReport
from golden_flows.shims.in_guest.pushed import KEY_PATH

PACKAGE = "golden_flows.shims.in_guest"
NOTE_PATH = "/var/lib/golden-flows/metadata-shim.json"
NOTE_LIMIT_BYTES = 256 * 1024
INSTALL_TIMEOUT_S = 60.0
_NO_PYTHON, _NO_INIT = 46, 47
# Before the agent, and before the network: askers wait until the shim knows its answers.
_INSTALL = """\
set -e
command -v python3 >/dev/null 2>&1 || exit {no_python}
mkdir -p /usr/local/lib/golden-flows
cat > {program}
if [ -d /run/systemd/system ]; then
  cat > /etc/systemd/system/{unit} <<'UNIT'
[Unit]
Description=Metadata for an agent whose cloud tells by another channel
DefaultDependencies=no
After=local-fs.target systemd-udev-trigger.service
Before=cloud-init-local.service
[Service]
ExecStart={start}
StandardOutput=journal+console
[Install]
WantedBy=multi-user.target
UNIT
  systemctl enable {unit}
elif [ -f /etc/inittab ]; then
  {{ echo '::sysinit:{start} >/dev/console 2>&1 &'; grep -v golden-flows /etc/inittab; }} > /tmp/inittab.new
  cat /tmp/inittab.new > /etc/inittab
  rm /tmp/inittab.new
else
  exit {no_init}
fi
sync
"""


_KEY = """\
umask 077 && mkdir -p "$(dirname {path})" && cat > {path} && sync
"""


@dataclass(frozen=True)
class MetadataShim:
    """One that stands between a cloud's channel and an agent's."""

    name: str
    source: str
    """Its file in ``golden_flows/shims/in_guest``."""
    of: str
    """The channel that the cloud has."""
    to: str
    """The channel that the agent reads."""


SHIMS = (
    MetadataShim("config-drive-to-metadata", "config_drive", "config-drive", SHIMS_TELL_BY),
    MetadataShim("ec2-to-openstack", "ec2", "ec2-http", SHIMS_TELL_BY),
)
OF_NOTHING = MetadataShim(PUSHED, "pushed", PUSHED, SHIMS_TELL_BY)
"""For a cloud without any channel."""


READY = tuple(one.name for one in (*SHIMS, OF_NOTHING))
"""Names of all of them."""


def find(reads: Collection[str], offered: Collection[str]) -> MetadataShim | None:
    """The shim for an agent that reads these channels on a cloud that has those; None where none helps, or none need.

    An agent of which nothing is said reads whatever there is.
    """
    if not offered:
        return OF_NOTHING if not reads or OF_NOTHING.to in reads else None
    if not reads or set(reads) & set(offered):
        return None
    return next((one for one in SHIMS if one.to in reads and one.of in offered), None)


def install(shell: GuestShell, shim: MetadataShim) -> bytes:
    """Put it into this guest, for its next boot; the key by which it knows its owner, where it is to be pushed to.

    Raises ``GuestError`` where the image is not one it can live in.
    """
    program = "/usr/local/lib/golden-flows/metadata-shim.pyz"
    script = _INSTALL.format(
        program=program,
        unit="golden-flows-metadata-shim.service",
        # -I -S: nothing of the environment or of site-packages decides what runs.
        start=f"/usr/bin/python3 -I -S -B {program} {shim.source}",
        no_python=_NO_PYTHON,
        no_init=_NO_INIT,
    )
    done = shell.run(script, timeout_s=INSTALL_TIMEOUT_S, stdin=pack())
    if done.exit_code:
        why = {_NO_PYTHON: "it has no python3", _NO_INIT: "it has neither systemd nor an /etc/inittab"}
        told = why.get(done.exit_code, shorten(done.stderr.decode("utf-8", "replace"), 200) or "no reason given")
        remedy = "see docs/clouds.md for what an image needs; --no-shims judges what works natively"
        raise GuestError(f"the shim {shim.name} cannot be put into Anne's image: {told}", remedy)
    if shim is not OF_NOTHING:
        return b""
    key = secrets.token_bytes(32)
    done = shell.run(_KEY.format(path=KEY_PATH), stdin=key)
    if done.exit_code:
        raise GuestError(f"{KEY_PATH} cannot be written: {shorten(done.stderr.decode('utf-8', 'replace'), 200)}")
    return key


def pack() -> bytes:
    """The program as one file that Python runs: its modules under the names by which they import one another."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:  # stored, not deflated: a small Python may lack zlib
        parts = PACKAGE.split(".")
        for depth in range(1, len(parts)):
            archive.writestr("/".join((*parts[:depth], "__init__.py")), "")
        for file in resources.files(PACKAGE).iterdir():
            if file.name.endswith(".py"):
                archive.writestr("/".join((*parts, file.name)), file.read_bytes())
        archive.writestr("__main__.py", f"import sys\n\nfrom {PACKAGE}.main import main\n\nmain(sys.argv[1])\n")
    return packed.getvalue()


def read(
    shell: GuestShell, shim: MetadataShim, report: GuestReport, known: AgentChannels
) -> tuple[AgentChannels, GuestReport]:
    """What the shim did in the boot of this report, and the report with what the shim saw of the cloud in it.

    The agent knows only the shim: the channel it was told by is the cloud's, through the shim. Raises ``GuestError``.
    """
    return told_through(shim, report, known, shell.read_file(NOTE_PATH, NOTE_LIMIT_BYTES))


def told_through(
    shim: MetadataShim, report: GuestReport, known: AgentChannels, note: bytes | None
) -> tuple[AgentChannels, GuestReport]:
    """``note``: what the shim left, hostile like all that comes out of a guest. Raises ``GuestError``."""
    facts = replace(known, shim=shim.name, through=shim.of)
    if note is None:
        return replace(facts, trouble=DID_NOT_RUN[0]), report
    try:
        document = json.loads(note)
    except (ValueError, RecursionError) as error:
        raise GuestError(f"{NOTE_PATH} in the guest is not JSON") from error
    if not isinstance(document, dict):
        raise GuestError(f"{NOTE_PATH} in the guest is not a JSON object")
    seen = reference.parse_status(document)
    if seen.boot_id != report.boot_id:
        return replace(facts, trouble=DID_NOT_RUN[1]), report
    told = shorten("; ".join(seen.reasons), 200)
    if seen.verdict != "ok":
        reason = f"{shim.name} stepped aside: {told}"
        channels = tuple(replace(one, reason=reason) if one.name == shim.of else one for one in report.channels)
        return replace(facts, trouble=f"it stepped aside: {told}"), replace(report, channels=channels)
    channels = tuple(one for one in report.channels if one.name != shim.of)
    channels = tuple(
        replace(one, name=shim.of, reason=f"through {shim.name}") if one.name == shim.to else one for one in channels
    )
    through = replace(
        report,
        channels=channels,
        config_drive=seen.config_drive,
        listing=seen.listing,
        requests=seen.requests,
        identity=replace(report.identity, ec2_instance_id=seen.identity.ec2_instance_id),
    )
    return replace(facts, serves=told), through
