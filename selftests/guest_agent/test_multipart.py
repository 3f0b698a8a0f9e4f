"""Multipart user data, as Python's own email package writes it."""

from __future__ import annotations

from email.encoders import encode_base64, encode_quopri
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import pytest
from guest_agent import multipart, userdata
from guest_agent.state import InstanceState


def script(content: bytes, encode: object = encode_base64) -> MIMEBase:
    part = MIMEBase("text", "x-shellscript")
    part.set_payload(content)
    (encode_base64 if encode is encode_base64 else encode_quopri)(part)
    return part


def message(*parts: MIMEBase) -> bytes:
    whole = MIMEMultipart()
    for part in parts:
        whole.attach(part)
    return whole.as_bytes()


def test_parts_come_byte_for_byte() -> None:
    data = message(script(b"#!/bin/sh\r\n\0\xff"), script(b"#!/bin/sh\necho =\n", encode_quopri), MIMEText("a\nb\n"))
    assert multipart.is_multipart(data)
    assert multipart.parts(data) == [
        ("text/x-shellscript", b"#!/bin/sh\r\n\0\xff"),
        ("text/x-shellscript", b"#!/bin/sh\necho =\n"),
        ("text/plain", b"a\nb\n"),
    ]


def test_line_ends_of_mail_are_understood() -> None:
    data = message(script(b"#!/bin/sh\n")).replace(b"\n", b"\r\n")
    assert multipart.parts(data) == [("text/x-shellscript", b"#!/bin/sh\n")]


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Type: text/plain\n\nno parts\n",
        b"MIME-Version: 1.0\n",
        message(script(b"#!/bin/sh\n"))[:-8],
        message(*[script(b"#!/bin/sh\n")] * 65),
        message(script(b"#!/bin/sh\n")).replace(b"Cg==", b"C"),
    ],
    ids=["plain", "headers alone", "cut", "65 parts", "damaged"],
)
def test_what_is_no_whole_multipart_is_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"multipart|part"):
        multipart.parts(data)
    assert userdata.run(data, InstanceState("u", str(tmp_path)), network_up=True)[0] == "failed"


@pytest.mark.parametrize("data", [b"#!/bin/sh\n", b"#cloud-config\n", b"", b"Content\n"], ids=repr)
def test_other_user_data_is_no_multipart(data: bytes) -> None:
    assert not multipart.is_multipart(data)


def test_each_part_runs_or_is_told_and_none_stops_the_next(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    data = message(
        script(b"#!/bin/sh\r\nexit 0\r\n"),
        MIMEText("no script\n"),
        script(b"#!/no/such/shell\n"),
        script(f"#!/bin/sh\necho ran >>{seen}\n".encode()),
    )
    verdict, reason, report = userdata.run(data, InstanceState("u", str(tmp_path)), network_up=True)
    assert [part["verdict"] for part in report["parts"]] == ["failed", "unsupported", "failed", "ok"]
    assert verdict == "degraded"
    assert "CR LF" in reason
    assert (report["run_count"], report["exit_code"]) == (1, 0)
    assert seen.read_text() == "ran\n"
    again = userdata.run(data, InstanceState("u", str(tmp_path)), network_up=True)
    assert (again[0], again[2]["run_count"], seen.read_text()) == ("skipped", 1, "ran\n")


def test_a_part_that_fails_is_the_exit_code(tmp_path: Path) -> None:
    data = message(script(b"#!/bin/true\n"), script(b"#!/bin/sh\nexit 3\n"))
    verdict, _, report = userdata.run(data, InstanceState("u", str(tmp_path)), network_up=True)
    assert (verdict, report["exit_code"]) == ("degraded", 3)
