"""The console report: lines, CRC, and what must never be in them."""

from __future__ import annotations

import base64
import json
import os
import zlib
from pathlib import Path
from typing import Any

import pytest
from guest_agent import report

STATUS: dict[str, Any] = {"schema": 1, "run": "run-7", "noise": [base64.b64encode(os.urandom(30)).decode()] * 3}


def decode(lines: list[str]) -> Any:
    """What the suite's side does, written again from the format's description."""
    payload = ""
    for line in lines:
        body, _, crc = line.rpartition(" ")
        assert f"{zlib.crc32(body.encode()):08x}" == crc
        payload += body.split(" ")[4]
    return json.loads(zlib.decompress(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def test_a_report_comes_back_whole() -> None:
    assert decode(report.to_lines(STATUS, 0)) == STATUS


def test_lines_are_short_and_ascii_whatever_the_status_holds() -> None:
    noise = [os.urandom(20).hex() for _ in range(400)]
    lines = report.to_lines({"run": "r" * 99, "noise": noise, "name": "é\n☃"}, 12)
    assert len(lines) > 9
    assert max(len(line.encode("ascii")) for line in lines) <= report.LINE_BYTES
    assert [line.split()[3] for line in lines] == [f"{n}/{len(lines)}" for n in range(1, len(lines) + 1)]


@pytest.mark.parametrize(
    ("run", "clean"),
    [("run-7", "run-7"), (None, "-"), ("a b\n@ICT1", "abICT1"), ("é", "-"), ("x" * 60, "x" * 40), (7, "-")],
)
def test_a_run_id_cannot_break_a_line(run: object, clean: str) -> None:
    assert report.clean_run(run) == clean


def test_a_block_is_printed_twice_and_an_absent_console_is_passed_over(tmp_path: Path) -> None:
    console = tmp_path / "ttyS0"
    console.touch()
    lines = report.to_lines(STATUS, 3)
    report.say([*lines, *lines], (str(tmp_path / "absent" / "hvc0"), str(console)))
    assert console.read_text().splitlines() == lines * 2


def test_the_status_file_is_readable_by_all_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "run" / "status.json"
    report.write_status(STATUS, str(path))
    assert json.loads(path.read_text()) == STATUS
    assert path.stat().st_mode & 0o777 == 0o644
