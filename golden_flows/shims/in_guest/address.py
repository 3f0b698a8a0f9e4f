"""169.254.169.254 inside the guest, and the way past it to a cloud's own service at the same address."""

from __future__ import annotations

import socket
import subprocess

HOST, PORT = "169.254.169.254", 80
MARK = 0x676F
#: What carries the mark is routed to the network; for everybody else there is no such address while it is not ours.
#: Both rules lie behind the kernel's own for addresses of this machine, which win while the address is ours.
RULES = (
    ("fwmark", str(MARK), "lookup", "main", "prio", "10"),
    ("to", f"{HOST}/32", "prohibit", "prio", "11"),
)
#: socket.SO_MARK came with no version of Python. Source: asm-generic/socket.h.
SO_MARK = 36


def take() -> None:
    """From now on the address is this machine's: whoever asks there is answered here, or waits."""
    _ip("link", "set", "lo", "up")
    for rule in RULES:
        _ip("rule", "add", *rule)
    hold()


def hold() -> None:
    """Take the address after ``let_go``; or for the first time."""
    _ip("addr", "add", f"{HOST}/32", "dev", "lo")


def let_go() -> None:
    """The address is the cloud's for whoever is marked, and nobody's for all others."""
    _ip("addr", "del", f"{HOST}/32", "dev", "lo")


def give_back() -> None:
    """Everything as it was."""
    let_go()
    for rule in RULES:
        _ip("rule", "del", *rule)


def past_ourselves(timeout_s: float) -> socket.socket:
    """A connection to the cloud's own service, while the address is let go. Raises ``OSError``."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
        connection.settimeout(timeout_s)
        connection.connect((HOST, PORT))
    except BaseException:
        connection.close()
        raise
    return connection


def is_network_up() -> bool:
    """Whether there is a route over any NIC."""
    with open("/proc/net/route", encoding="ascii") as file:
        return any(line.split()[:1] not in ([], ["lo"]) for line in file.readlines()[1:])


def _ip(*words: str) -> None:
    """What is there already, or no more, is as good as done: whether the service works shows by itself."""
    subprocess.run(["ip", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
