"""Whatever a guest prints, its console is read in a time that grows as the text does, and tells nothing untrue."""

from __future__ import annotations

import base64
import time
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_flows.agents import NAMES, cloud_init, console_frames, load_agent, reference, whose_console
from golden_flows.agents.console_frames import MARKER
from golden_flows.model import console_signs

BEGIN, END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"
PIECES = (
    *(MARKER, "@ICT1 r1 0 1/2 eJw ", "Cloud-init v. 22.4 ", "running 'init' at ", "finished at ", BEGIN, END),
    *(
        "Net device info",
        "ci-info: | eth0 | True | ",
        "Route IPv4 info",
        "ssh-",
        "ssh-rsa AAAA",
        "ecdsa-",
        "==",
        "\r\n",
    ),
    *("XFS (sda1): ", "rcu: ", "ALERT!", "dracut-initqueue", "[    1.0] ", "Oops: ", " | ", "\t", "\x1b[0m", "\ud800"),
)
CONSOLES = st.lists(st.sampled_from(PIECES) | st.text(max_size=20), max_size=40).map("".join)


def line(seq: int, number: int, total: int, part: str) -> str:
    body = f"{MARKER} r1 {seq} {number}/{total} {part}"
    return f"{body} {zlib.crc32(body.encode()):08x}"


def bomb(seq: int) -> str:
    """A whole document in one line, of which a hundred letters say as many kilobytes."""
    packed = zlib.compress(b'{"%d": "' % seq + b"a" * 100_000 + b'"}', 9)
    return line(seq, 1, 1, base64.urlsafe_b64encode(packed).decode().rstrip("="))


@given(CONSOLES)
def test_any_console_is_read_by_every_agent(console: str) -> None:
    for name in NAMES:
        agent = load_agent(name)
        assert agent.from_console(console, None) == ()
        assert isinstance(agent.says_done(console), bool)
        assert isinstance(agent.progress(console), str)
        agent.links_on(console)
    whose_console(console)
    cloud_init.host_keys(console)
    console_signs.read(console)


SLOW: dict[str, tuple[str, Callable[[str], object]]] = {
    "frames of which none is whole": (
        "".join(f"{line(seq, 1, 2, 'A')}\n" for seq in range(30_000)),
        lambda text: list(console_frames.documents(text, None)),
    ),
    "lines that count up and never come to an end": (
        "".join(f"{line(0, number, 999, 'A')}\n" for number in range(1, 999)) * 30,
        lambda text: list(console_frames.documents(text, None)),
    ),
    "host keys that begin and do not end": (BEGIN * 30_000, cloud_init.host_keys),
    "types of keys without end": (BEGIN + "ssh-" * 250_000 + END, cloud_init.host_keys),
    "NICs without end": ("Net device info" + "ci-info: | a " * 80_000, cloud_init.links_on),
    "blanks in a table": ("Net device info" + "ci-info: | a" + " " * 1_000_000, cloud_init.links_on),
    "stages without end": ("Cloud-init v. " * 80_000, cloud_init.progress),
    **{
        f"signs: {words}": ((words * 4096)[:4096] + "\n", lambda text: console_signs.read(text * 20))
        for words in ("XFS (a): ", "rcu: ", "ALERT!", "dracut-initqueue ", "[ 1.", " ", "blocked for more than 11")
    },
}
"""Up to a megabyte of what once cost, or might cost, the square of its length: minutes, where a second is much."""


@pytest.mark.parametrize(("text", "read"), SLOW.values(), ids=SLOW)
def test_no_console_costs_more_than_its_length(text: str, read: Callable[[str], object]) -> None:
    began_s = time.process_time()
    read(text)
    assert time.process_time() - began_s < 5


def test_a_console_of_small_bombs_is_unpacked_up_to_a_limit() -> None:
    found = list(console_frames.documents("\n".join(bomb(seq) for seq in range(800)), None))
    assert 0 < len(found) * 100_000 < console_frames.UNPACKED_LIMIT_BYTES + 200_000


def test_keys_before_any_beginning_are_nobody_s() -> None:
    key = f"ssh-ed25519 {base64.b64encode(bytes(51)).decode()} root@anne"
    assert cloud_init.host_keys(f"{key}\n{END}") == ()
    assert cloud_init.host_keys(f"{BEGIN}\n{key}\n{END}\n{BEGIN}\n") != ()


@given(st.binary(max_size=140), st.integers(1, 3))
def test_a_frame_of_rubbish_is_no_report(packed: bytes, copies: int) -> None:
    text = line(0, 1, 1, base64.urlsafe_b64encode(packed or b"\0").decode().rstrip("="))
    assert reference.from_console("\n".join([text] * copies), "r1") == ()
