"""Files of the guest as the reference agent's reader takes them, from a shell that answers from a table."""

from __future__ import annotations

from typing import cast

import pytest

from golden_flows.agents.reference import read_files
from golden_flows.guests.ssh import CommandResult, GuestShell
from golden_flows.model.guest import Consoles, Getty


class TableShell:
    """Answers a script by a word that stands in it."""

    def __init__(self, gettys: str) -> None:
        self._answers = {
            "initrd": "virtio_blk.ko\nxen-blkfront.ko.xz\n",
            "modules.builtin": "ext4.ko\n",
            "find ": "xen-netfront.ko\n",
            "/run/gettys": gettys,
        }

    def run(self, command: str, *, timeout_s: float = 30.0) -> CommandResult:
        found = next((answer for word, answer in self._answers.items() if word in command), "")
        return CommandResult(0, found.encode("utf-8", "replace"), b"")

    def read_file(self, path: str, limit_bytes: int = 0) -> bytes | None:
        return b"root=UUID=1" if path == "/proc/cmdline" else None


def consoles(told: str) -> Consoles | None:
    return read_files(cast(GuestShell, TableShell(told))).consoles


def test_modules_are_told_by_their_names() -> None:
    files = read_files(cast(GuestShell, TableShell("")))
    assert files.initramfs_modules == ("ext4", "virtio_blk", "xen_blkfront")
    assert files.modules_on_disk == ("xen_netfront",)
    assert files.cmdline == "root=UUID=1"
    assert files.fstab is None


def test_gettys_are_told_with_their_starts() -> None:
    told = consoles("hvc0 ttyS0\nhvc0 no 0\nttyS0 yes 1\nxvc0 no 4\n")
    assert told == Consoles(
        active=("hvc0", "ttyS0"),
        gettys=(
            Getty(line="hvc0", exists=False, respawns=0, started=False),
            Getty(line="ttyS0", exists=True, respawns=0, started=True),
            Getty(line="xvc0", exists=False, respawns=3, started=True),
        ),
    )


@pytest.mark.parametrize("told", ["", "hvc0\n", "hvc0\nttyS0 yes many\n", "x\ny yes -1\n", "x\ny yes 99999999999999\n"])
def test_a_guest_without_such_a_record_tells_nothing(told: str) -> None:
    assert consoles(told) is None


def test_a_guest_that_floods_is_cut_short() -> None:
    told = consoles("hvc0\n" + "".join(f"tty{at} yes 1\n" for at in range(5000)))
    assert told is not None
    assert len(told.gettys) < 1000
