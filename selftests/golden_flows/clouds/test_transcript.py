"""What a cloud's APIs were asked and answered: all of it, without a secret, and never too long."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from golden_flows.clouds import transcript
from golden_flows.clouds.transcript import Transcript, render
from golden_flows.errors import InteropError
from golden_flows.flows.record import Record
from golden_flows.journal import Journal, read_events
from golden_flows.model.cloud import Pair
from selftests.golden_flows.clouds.conftest import Drive
from selftests.refclouds.api.conftest import PASSWORD

Answer = Callable[[requests.PreparedRequest], tuple[int, bytes]]


class Wire(BaseAdapter):
    """Answers whatever is asked, or does not."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response._content = self._answer(request)
        response.headers["x-openstack-request-id"] = "req-1"
        return response

    def close(self) -> None:
        pass


class Line:
    """A session whose requests are written down."""

    def __init__(self, answer: Answer) -> None:
        self.transcript = Transcript("public")
        self._session = requests.Session()
        self._session.mount("https://", Wire(answer))
        self.transcript.listen(self._session)

    def ask(self, method: str, path: str, **options: Any) -> None:
        self._session.request(method, f"https://anne:hunter22@cloud.example{path}", **options)

    def told(self) -> list[dict[str, Any]]:
        return lines(self.transcript)


def lines(told: Transcript) -> list[dict[str, Any]]:
    return [json.loads(line) for line in render([told.take()], str).splitlines()]


def test_a_reference_cloud_is_asked_and_every_answer_is_written_down(drive: Drive) -> None:
    driven = drive()
    driven.cloud.preflight()
    server = driven.boot()
    told = [json.loads(line) for line in render([driven.cloud.take_transcript()], str).splitlines()]
    (made,) = [one for one in told if (one["method"], one["path"]) == ("POST", "/compute/v2.1/servers")]
    assert made["status"] == 202
    assert made["request_id"].startswith("req-")
    assert made["got"]["server"]["id"] == server.id
    assert made["sent"]["server"]["user_data"] == made["got"]["server"]["adminPass"] == "[redacted]"
    assert made["sent_bytes"] > 0
    assert made["seconds"] >= 0
    (login,) = [one for one in told if one["path"].endswith("/auth/tokens")]
    assert login["sent"] == {"auth": "[redacted]"}
    everything = json.dumps(told)
    assert PASSWORD not in everything
    assert base64.b64encode(b"\x00\xff binary").decode() not in everything
    assert "127.0.0.1" not in json.dumps([one["path"] for one in told])
    assert not render([driven.cloud.take_transcript()], str), "each exchange is told once"


def test_what_was_said_becomes_evidence_of_the_stage(drive: Drive) -> None:
    driven = drive()
    driven.cloud.preflight()
    Record(driven.journal, Pair("private", "private")).keep_transcript([driven.cloud])
    Record(driven.journal, Pair("private", "private")).keep_transcript([driven.cloud])
    (kept,) = [one for one in read_events(driven.journal.path) if one["event"] == "evidence"]
    assert (kept["name"], kept["stage"], kept["media_type"]) == ("api.jsonl", "export", "application/jsonl")


def test_a_cloud_that_answers_nothing_is_in_it(drive: Drive) -> None:
    driven = drive()
    driven.reference.stop()
    with pytest.raises(InteropError):
        driven.cloud.preflight()
    told = lines(driven.cloud._api.transcript)
    assert told
    assert {one["error"] for one in told} <= {"ConnectionError", "ConnectTimeout", "ReadTimeout"}
    assert not [one for one in told if "status" in one]


def test_a_poll_that_sees_the_same_again_is_one_line() -> None:
    answers = iter([b'{"status": "BUILD"}'] * 40 + [b'{"status": "ACTIVE"}'])
    line = Line(lambda request: (200, next(answers)))
    for _ in range(41):
        line.ask("GET", "/servers/1")
    first, last = line.told()
    assert (first["got"], first["times"]) == ({"status": "BUILD"}, 40)
    assert first["until"] >= first["at"]
    assert last["got"] == {"status": "ACTIVE"}


def test_two_requests_with_one_answer_stay_two() -> None:
    line = Line(lambda request: (202, b"{}"))
    for name in "ab":
        line.ask("POST", "/servers", json={"name": name})
    assert [one["sent"]["name"] for one in line.told()] == ["a", "b"]


def test_what_is_secret_by_its_name_is_left_out_though_nobody_knew_it() -> None:
    given = {
        "server": {"adminPass": "hunter22", "user_data": "aHVudGVyMjI=", "personality": [{"contents": "aHVudGVyMjI="}]}
    }
    answered = {
        "keypair": {"private_key": "hunter22", "name": "anne", "links": ["https://me:hunter22@cloud.example/1"]},
        "credential": {"secret": "hunter22", "id": "7"},
    }
    line = Line(lambda request: (200, json.dumps(answered).encode()))
    line.ask("POST", "/x?temp_url_sig=hunter22&limit=1", json=given, headers={"X-Auth-Token": "hunter22"})
    (told,) = line.told()
    assert "hunter22" not in json.dumps(told)
    assert "aHVudGVyMjI=" not in json.dumps(told)
    assert told["got"]["keypair"]["name"] == "anne"
    assert told["path"].startswith("/x?")
    assert told["path"].endswith("limit=1")


def test_what_the_journal_learns_later_is_hidden_in_it(tmp_path: Any) -> None:
    """The answer that makes up a password comes before anybody knows that it is one."""
    secret = 'pass"word-of-\\anne'
    line = Line(lambda request: (200, json.dumps({"plain": secret, "console": json.dumps([secret])}).encode()))
    line.ask("GET", "/console")
    journal = Journal(tmp_path)
    journal.hide(secret)
    kept = render([line.transcript.take()], journal.redact)
    journal.close()
    assert json.loads(kept)["got"] == {"plain": "[redacted]", "console": '["[redacted]"]'}


def _long() -> Iterator[bytes]:
    yield bytes(transcript.BODY_BYTES + 1)
    yield json.dumps({"x": "y" * transcript.BODY_BYTES}).encode()
    yield b'{"x": ' + b" " * transcript.READ_BYTES + b"1}"
    yield b"<html>no JSON</html>"
    yield b'{"cut": '


@pytest.mark.parametrize("body", list(_long()), ids=["binary", "long", "longer", "html", "cut"])
def test_a_body_is_kept_whole_or_not_at_all(body: bytes) -> None:
    line = Line(lambda request: (200, body))
    line.ask("PUT", "/x", data=body)
    (told,) = line.told()
    assert (told["sent_bytes"], told["got_bytes"]) == (len(body), len(body))
    assert not {"sent", "got"} & told.keys()


def test_a_streamed_image_is_neither_read_nor_kept() -> None:
    line = Line(lambda request: (200, b'{"not": "read"}'))
    line.ask("GET", "/file", stream=True)
    line.ask("PUT", "/file", data=iter([b"chunk"]))
    down, up = line.told()
    assert "got" not in down
    assert "sent_bytes" not in up


def test_a_storm_of_requests_is_counted_and_not_kept() -> None:
    line = Line(lambda request: (200, json.dumps({"said": str(request.url) * 20}).encode()))
    for number in range(transcript.LINES + 7):
        line.ask("GET", f"/servers/{number}")
    text = render([line.transcript.take()], str)
    assert json.loads(text.splitlines()[-1])["left_out"] == 7
    assert len(text) < 3 * transcript.BODIES_BYTES + 250 * transcript.LINES
    line.ask("GET", "/servers/1")
    assert len(line.told()) == 1, "the next stage begins with all its room"
