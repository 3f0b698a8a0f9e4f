"""Stock cloud-init: it reports to nobody, so its guest is looked at over SSH when its console says that it is done.

What lies in the guest is brought into the reference agent's form by the ``cloud_init`` probe, which runs there; what it
prints is as hostile as any report and is read by the same parser. Of the console only two things count: that a boot is
over, and the host keys that cloud-init has made, which nobody can tell over a connection that they are to secure.
Sources: cloud-init's cc_final_message, cc_keys_to_console (22.4); tools/write-ssh-key-fingerprints.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_interface

from golden_flows.agents import reference
from golden_flows.errors import GuestError
from golden_flows.guests.probe import run_probe
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.facts import GuestFiles
from golden_flows.model.guest import MACHINE_IDS, RUNS_PATH, SETTING_PASSWORDS, GuestReport, Link, canonical_mac

CONSOLE_MARKER = "Cloud-init v. "
CANNOT: Mapping[str, str] = {
    SETTING_PASSWORDS: "this image's agent is cloud-init, which takes no admin_pass from metadata or config drive (it"
    " sets passwords by its own user data only, cc_set_passwords) and answers no host's changePassword",
    MACHINE_IDS: "this image's agent is cloud-init, which makes SSH host keys anew for a new instance (cc_ssh), and"
    " leaves /etc/machine-id to who makes the image (cloud-init clean --machine-id)",
}
KEEPS_RECORD = False
RESULT_PATH = "/run/cloud-init/result.json"
PROBE_TIMEOUT_S = 120.0

_STEP = re.compile(r"Cloud-init v\. \S+ (?:running '([a-z:-]{1,20})'|(finished)) at ")
_FINISHED = re.compile(r"Cloud-init v\. \S+ finished at ")
_KEYS_BEGIN, _KEYS_END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"
# Every repetition is bounded: a console of "ssh-ssh-ssh-…" would else be gone through from each of them to its end.
_KEY = re.compile(r"\b(?:ssh-|ecdsa-)[a-z0-9-]{1,40} (AAAA[A-Za-z0-9+/]{1,4096}={0,2})")
_KEYS_MAX = 16
_NIC = re.compile(
    r"ci-info: \|\s+(\S+)\s+\|\s+(?:True|False)\s+\|\s+(\S+)\s+\|\s+(\S+)\s+\|\s+\S+\s+\|\s+"
    r"((?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2})\s+\|"
)
_NICS_MAX = 64

parse_status = reference.parse_status


def from_console(text: str, run: str | None) -> tuple[GuestReport, ...]:
    """Nothing: cloud-init prints no report."""
    return ()


def says_done(console: str) -> bool:
    """Its last module's message, of this boot or of one before."""
    return _FINISHED.search(console) is not None


def progress(console: str) -> str:
    """The stage that cloud-init began last; nothing once it has finished."""
    steps = _STEP.findall(console)
    return f"the guest is up; cloud-init runs {steps[-1][0]}" if steps and steps[-1][0] else ""


def links_on(console: str) -> tuple[Link, ...]:
    """The table "Net device info" that cloud-init printed last; a NIC without an address has a row without one."""
    _, _, table = console.rpartition("Net device info")
    links: dict[str, Link] = {}
    for name, address, mask, mac in _NIC.findall(table.partition("Route IPv4 info")[0])[:_NICS_MAX]:
        try:
            whole = str(ip_interface(address if mask == "." else f"{address}/{mask}"))
        except ValueError:
            whole = ""
        known = links.get(mac, Link(name=name, mac=canonical_mac(mac)))
        links[mac] = replace(known, addresses=(*known.addresses, *([whole] if whole else [])))
    return tuple(links.values())


def is_last(report: GuestReport) -> bool:
    """``read`` reports of a finished boot only."""
    return True


def host_keys(console: str) -> tuple[str, ...]:
    """Fingerprints of the host keys that cloud-init printed last, between its BEGIN and END."""
    before, _, _ = console.rpartition(_KEYS_END)
    _, begun, last = before.rpartition(_KEYS_BEGIN)
    found = []
    for text in _KEY.findall(last)[:_KEYS_MAX] if begun else ():
        try:
            digest = hashlib.sha256(base64.b64decode(text, validate=True)).digest()
        except binascii.Error:
            continue
        found.append("SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("="))
    return tuple(found)


def read(shell: GuestShell, console: Callable[[], str] = str) -> GuestReport:
    """Run the probe. Raises ``GuestError`` while cloud-init is at work, and where there is no Python."""
    if shell.read_file(RESULT_PATH, 1) is None:
        raise GuestError(f"the guest has no {RESULT_PATH}", "cloud-init has not finished (yet), or is not installed")
    document = run_probe(shell, "cloud_init", {"runs": RUNS_PATH}, timeout_s=PROBE_TIMEOUT_S)
    return replace(parse_status(document), host_key_fingerprints=host_keys(console()))


def read_files(shell: GuestShell) -> GuestFiles:
    """Files of the running guest that some checks read."""
    return reference.read_files(shell)
