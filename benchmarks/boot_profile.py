"""Where a boot's time goes: the virtual CPU's registers, sampled, say what it is running just then."""

from __future__ import annotations

import re
import time
from collections import defaultdict

from benchmarks.monitor import Monitor

EVERY_S = 0.02
_FIELDS = re.compile(r"\b(EIP|RIP|CR0|CPL|HLT)=([0-9a-f]+)")
_KERNEL_BASE = 0xFFFFFFFF80000000
_FIRMWARE_BASE = 0xC0000
_ONE_MIB = 0x100000


def what_runs(registers: str, *, kernel_began: bool) -> str:
    """One of: firmware, boot loader, kernel decompression, kernel, user space, idle.

    Firmware and boot loader are to be read together: GRUB reads the disk through the firmware, whose 16-bit code
    cannot be told from GRUB's by its address. ``kernel_began`` tells identity-mapped kernel code apart from what ran
    before it.
    """
    found = dict(_FIELDS.findall(registers))
    pc = int(found.get("RIP") or found.get("EIP") or "0", 16)
    if found.get("HLT") == "1":
        return "idle"
    if pc >= _KERNEL_BASE or kernel_began:
        return "user space" if found.get("CPL") == "3" else "kernel"
    if "RIP" in found and pc >= _ONE_MIB:
        return "kernel decompression"
    if _FIRMWARE_BASE <= pc < _ONE_MIB or pc >= 0xFFF00000:
        return "firmware"
    return "boot loader"


class Sampler:
    """Call ``sample`` often; it takes one every ``EVERY_S`` seconds. Shares add up to the time of the boot."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._last_s = time.monotonic()
        self._kernel_began = False

    def sample(self) -> None:
        """Count the time since the last sample for what runs now."""
        now_s = time.monotonic()
        if now_s - self._last_s < EVERY_S:
            return
        running = what_runs(self._monitor.registers(), kernel_began=self._kernel_began)
        self._kernel_began = self._kernel_began or running == "kernel"
        self._seconds[running] += now_s - self._last_s
        self._last_s = now_s

    def seconds(self) -> dict[str, float]:
        """Seconds by what ran."""
        return {name: round(value, 2) for name, value in self._seconds.items()}
