from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.model.console_signs import PATTERNS, SIGNS_MAX, Sign, read


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("[    1.25] Kernel panic - not syncing: VFS: Unable to mount root fs", "kernel panic"),
        ("[   12.000001] Oops: 0002 [#1] PREEMPT SMP", "kernel oops"),
        ("[   62.5] watchdog: BUG: soft lockup - CPU#0 stuck for 26s!", "kernel oops"),
        ("[  242.0] INFO: task jbd2:123 blocked for more than 120 seconds.", "kernel oops"),
        ("[   30.0] Out of memory: Killed process 412 (python3)", "out of memory"),
        ("[    2.1] EXT4-fs error (device vda1): ext4_lookup:1855: inode #2", "file system error"),
        (
            "[    2.1] EXT4-fs (vda1): warning: mounting fs with errors, running e2fsck is recommended",
            "file system error",
        ),
        ("[    9.9] I/O error, dev sda, sector 2048 op 0x1:(WRITE)", "file system error"),
        ("(initramfs) ", "initramfs shell"),
        ("dracut:/# ", "initramfs shell"),
        ("You are in emergency mode. After logging in, type", "initramfs shell"),
        ("[    4.0] systemd[1]: basic.target: Found ordering cycle on sysinit.target/start", "ordering cycle"),
    ],
)
def test_each_trouble_is_known_by_its_words(line: str, kind: str) -> None:
    (sign,) = read(f"Linux version 6.1\n{line}\nanne login: ")
    assert sign.kind == kind


def test_a_boot_that_goes_well_says_nothing() -> None:
    quiet = """Booting from Hard Disk...
[    0.000000] Linux version 6.1.0-18-amd64
[    1.1] EXT4-fs (vda1): mounted filesystem with ordered data mode. Quota mode: none.
[    2.1] EXT4-fs (vda1): recovery complete
guest-agent: detect ok (0.5 s)
debian login:"""
    assert read(quiet) == ()


def test_every_wording_is_told_once_and_not_without_end() -> None:
    again = "[  1.0] EXT4-fs error (device vda1): x\n[  2.0] EXT4-fs error (device vda1): x\n"
    assert read(again) == (Sign("file system error", "EXT4-fs error (device vda1): x"),)
    assert len(read("\n".join(f"EXT4-fs error {at}" for at in range(100)))) == SIGNS_MAX


@given(st.text(max_size=2000))
def test_any_console_is_read(console: str) -> None:
    assert all(sign.kind in dict(PATTERNS) for sign in read(console))
