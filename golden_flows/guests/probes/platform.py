"""Prints what machine this is, as a JSON object: firmware, clock, root disk, entropy, serial ports, queues."""

from __future__ import annotations

import json
import os
import re
import time

EFI, SECURE_BOOT = "/sys/firmware/efi", "/sys/firmware/efi/efivars"
LOG_BYTES_MAX = 1 << 20
_CRNG = re.compile(r"\[\s*(\d+\.\d+)\].*random: crng init done")
_BLOCKS = re.compile(r"\[\s*\d+\.\d+\].*(?:uninitialized urandom read|blocked for more than.*getrandom).*")
_FIRST_LINE = re.compile(r"\[\s*0\.000000\]")


def text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def number_in(path: str) -> int | None:
    text = text_of(path)
    return int(text) if text.isdecimal() else None


def secure_boot() -> bool | None:
    """The last byte of the variable; None without it."""
    try:
        names = [name for name in os.listdir(SECURE_BOOT) if name.startswith("SecureBoot-")]
        with open(f"{SECURE_BOOT}/{names[0]}", "rb") as file:
            return file.read()[-1:] == b"\x01"
    except (OSError, IndexError):
        return None


def kernel_log() -> str:
    """From /dev/kmsg, in the form of dmesg; empty where it may not be read."""
    lines: list[str] = []
    try:
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    size = 0
    try:
        while size < LOG_BYTES_MAX:
            try:
                record = os.read(log, 8192).decode("utf-8", "replace")
            except BrokenPipeError:
                continue  # overwritten while it was read: the next one is there
            except OSError:
                break
            size += len(record)
            head, _, text = record.partition(";")
            micros = head.split(",")[2:3]
            at_s = int(micros[0]) / 1e6 if micros and micros[0].isdecimal() else 0.0
            lines.append(f"[{at_s:12.6f}] {text.splitlines()[0] if text else ''}")
    finally:
        os.close(log)
    return "\n".join(lines)


def root_disk() -> dict[str, object]:
    """The disk under ``/``, by its device number."""
    where = os.stat("/").st_dev
    device = os.path.realpath(f"/sys/dev/block/{os.major(where)}:{os.minor(where)}")
    is_partition = os.path.exists(f"{device}/partition")
    disk = os.path.dirname(device) if is_partition else device
    size, sectors = number_in(f"{disk}/size"), number_in(f"{device}/size")
    start = number_in(f"{device}/start") if is_partition else 0
    whole = os.statvfs("/")
    return {
        "disk_bytes": None if size is None else size * 512,
        "end_bytes": None if sectors is None or start is None else (start + sectors) * 512,
        "file_system_bytes": whole.f_blocks * whole.f_frsize,
        "grower": grower(),
        "discard_max_bytes": number_in(f"{disk}/queue/discard_max_bytes"),
    }


def grower() -> str:
    """What would grow the root file system at boot."""
    for path in ("/usr/bin/growpart", "/usr/sbin/growpart", "/usr/lib/systemd/systemd-growfs"):
        if os.path.exists(path):
            return "" if os.path.exists("/etc/growroot-disabled") else path
    return ""


def ports() -> list[str]:
    folder = "/sys/class/virtio-ports"
    try:
        return sorted(name for one in os.listdir(folder) if (name := text_of(f"{folder}/{one}/name")))
    except OSError:
        return []


def runs(program: str) -> bool:
    """Whether a process of that name is there."""
    return any(text_of(f"/proc/{one}/comm") == program for one in os.listdir("/proc") if one.isdigit())


def queues() -> dict[str, str]:
    found = {}
    for nic in os.listdir("/sys/class/net"):
        folder = f"/sys/class/net/{nic}/queues"
        if os.path.exists(f"/sys/class/net/{nic}/device") and os.path.isdir(folder):
            found[nic] = str(sum(name.startswith("rx-") for name in os.listdir(folder)))
    return found


def main() -> None:
    log = kernel_log()
    ready = _CRNG.search(log)
    answer = {
        "has_efi": os.path.isdir(EFI),
        "secure_boot": secure_boot(),
        "root": root_disk(),
        "crng_ready_s": float(ready[1]) if ready else None,
        "crng_blocks": _BLOCKS.findall(log)[:5],
        "kernel_log_is_whole": bool(_FIRST_LINE.search(log)),
        "ports": ports(),
        "qga_runs": runs("qemu-ga"),
        "cpus": os.cpu_count(),
        "queues": queues(),
        "clock_s": time.time(),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
