"""Looks, in the instance at home, for what its image had better not hold. Asked just before the snapshot."""

from __future__ import annotations

from golden_flows.errors import GuestError
from golden_flows.guests.ssh import GuestShell
from golden_flows.model.residue import Residue

LIMIT = 60
_TIMEOUT_S = 30.0
# For busybox as well as for a full system. A line each: kind, a blank, path.
_SCRIPT = r"""
tell() { kind=$1; shift; for f; do [ -s "$f" ] && echo "$kind $f"; done; }
tell machine-id /etc/machine-id
tell host-key /etc/ssh/ssh_host_*_key /etc/dropbear/*_host_key
tell lease /var/lib/dhcp/*.leases /var/lib/dhcpcd/*.lease /var/lib/NetworkManager/*.lease
tell cloud-init /var/lib/cloud/data/instance-id
[ -e /var/lib/cloud/instance/manual-clean ] && echo "manual-clean /var/lib/cloud/instance/manual-clean"
tell history ~/.*_history /root/.*_history
for f in /etc/udev/rules.d/*net*.rules; do
  grep -qiE '^[^#]*ATTR.address.*([0-9a-f]{2}:){5}' "$f" 2>/dev/null && echo "udev-net-rules $f"
done
for f in /etc/NetworkManager/system-connections/* /etc/sysconfig/network-scripts/ifcfg-*; do
  grep -qiE '^(mac-address|HWADDR) *=' "$f" 2>/dev/null && echo "connection $f"
done
exit 0
"""


def look(shell: GuestShell) -> tuple[Residue, ...] | None:
    """What is there; None where nobody could look."""
    try:
        told = shell.run(_SCRIPT, timeout_s=_TIMEOUT_S)
    except GuestError:
        return None
    if told.exit_code:
        return None
    lines = told.stdout.decode("utf-8", "replace").splitlines()[:LIMIT]
    pairs = (line.partition(" ") for line in lines)
    return tuple(dict.fromkeys(Residue(kind, path) for kind, _, path in pairs if path))
