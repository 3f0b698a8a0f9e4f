"""Reports on a console survive what consoles do to text, and nothing else gets through."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden_flows.agents import reference
from golden_flows.agents.console_frames import MARKER, documents

Document = dict[str, object]


def frames(document: Mapping[str, object], run: str = "r1", seq: int = 0, width: int = 20) -> list[str]:
    packed = zlib.compress(json.dumps(document).encode())
    payload = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    chunks = [payload[at : at + width] for at in range(0, len(payload), width)]
    bodies = [f"{MARKER} {run} {seq} {n}/{len(chunks)} {chunk}" for n, chunk in enumerate(chunks, 1)]
    return [f"{body} {zlib.crc32(body.encode()):08x}" for body in bodies]


def read(lines: list[str], run: str | None = "r1") -> list[Document]:
    return [dict(one) for one in documents("\n".join(lines), run)]


values = st.dictionaries(st.text(max_size=8), st.text(max_size=40) | st.integers(), max_size=6)


@given(values)
def test_a_block_and_its_copy_are_one_report(document: Document) -> None:
    assert read(frames(document) * 2) == [document]


@given(values, st.data())
def test_lines_missing_from_one_copy_are_taken_from_the_other(document: Document, data: st.DataObject) -> None:
    first, second = frames(document), frames(document)
    # The last line of the first copy stays: it is what tells that a second copy begins.
    lost = data.draw(st.sets(st.integers(0, len(first) - 1), max_size=max(0, len(first) - 1)))
    kept = [line for index, line in enumerate(first) if index not in lost - {len(first) - 1}]
    assert read(kept + [line for index, line in enumerate(second) if index in lost or index % 2]) == [document]


def test_the_newest_boot_comes_last_though_its_numbers_start_anew() -> None:
    boots: list[Document] = [{"boot": n, "filler": "x" * 200} for n in (1, 2, 3)]
    lines = [line for boot in boots for line in frames(boot) * 2]
    assert read(lines) == boots


def test_kernel_messages_around_and_between_lines_do_no_harm() -> None:
    document: Document = {"a": list(range(60))}
    lines = [f"[    1.5] usb: {line} [ 2.0] foo\r" for line in frames(document)]
    noisy = [one for line in lines for one in (line, "random: crng init done \x1b[0m @ICT1 r1 0 1/")]
    assert read(noisy) == [document]


def test_a_changed_character_never_yields_a_wrong_report() -> None:
    document: Document = {"uuid": "3f0c", "n": list(range(50))}
    lines = frames(document)
    text = "\n".join(lines)
    for at in range(0, len(text), 7):
        damaged = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        assert [dict(one) for one in documents(damaged, "r1")] in ([], [document])


def test_other_runs_are_not_heard_but_an_agent_without_metadata_is() -> None:
    mine, others, lost = {"who": "me"}, {"who": "other"}, {"who": "unknown"}
    lines = frames(others, run="r2") + frames(mine) + frames(lost, run="-")
    assert read(lines) == [mine, lost]
    assert read(lines, None) == [others, mine, lost]


@settings(max_examples=200)
@given(st.lists(st.text(max_size=60) | st.from_regex(r"@ICT1 r1 [0-9]{1,2} [0-9]/[0-9] [A-Za-z]{1,9} [0-9a-f]{8}")))
def test_hostile_text_is_only_ever_ignored(lines: list[str]) -> None:
    assert reference.from_console("\n".join(lines), "r1") == ()


def test_a_bomb_is_not_unpacked() -> None:
    packed = zlib.compress(b'{"x": "' + b"a" * 50_000_000 + b'"}', 9)
    payload = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    chunks = [payload[at : at + 180] for at in range(0, len(payload), 180)]
    bodies = [f"{MARKER} r1 0 {n}/{len(chunks)} {chunk}" for n, chunk in enumerate(chunks, 1)]
    assert read([f"{body} {zlib.crc32(body.encode()):08x}" for body in bodies]) == []


def test_our_frames_are_those_of_the_agent() -> None:
    report = pytest.importorskip("guest_agent.report")
    document: Document = {"run": "r1", "schema": 1, "filler": [str(n) for n in range(300)]}
    lines = report.to_lines(document, 3)
    assert max(map(len, lines)) <= 200
    assert read(lines * 2) == [document]
