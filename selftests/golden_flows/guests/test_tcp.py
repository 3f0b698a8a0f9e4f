"""Open, closed, and "we could not find out" are three different answers, with a proxy in the way or not."""

from __future__ import annotations

import hashlib
import time

import pytest

from golden_flows.guests.jump import WayInBroken
from golden_flows.guests.tcp import http_get, http_post, probe_port
from selftests.golden_flows.guests.conftest import Socks


def test_a_listening_port_is_open(web: int) -> None:
    assert probe_port("127.0.0.1", web) is True


def test_a_closed_port_is_closed(closed_port: int) -> None:
    assert probe_port("127.0.0.1", closed_port) is False


def test_an_open_port_is_open_through_the_proxy_which_resolves_the_name(web: int, socks: Socks) -> None:
    assert probe_port("guest.test", web, socks.url) is True
    assert socks.asked == [("guest.test", web)]


def test_a_closed_port_is_closed_through_the_proxy(closed_port: int, socks: Socks) -> None:
    assert probe_port("127.0.0.1", closed_port, socks.url) is False


def test_a_name_that_the_proxy_does_not_know_is_closed(socks: Socks) -> None:
    assert probe_port("nobody.invalid", 80, socks.url) is False


def test_a_proxy_that_is_away_is_no_answer(web: int, closed_port: int) -> None:
    assert probe_port("127.0.0.1", web, f"socks5h://127.0.0.1:{closed_port}") is None


def test_a_proxy_that_is_something_else_is_no_answer(web: int) -> None:
    assert probe_port("127.0.0.1", web, f"socks5h://127.0.0.1:{web}", timeout_s=0.3) is None


def test_a_guest_that_is_silent_behind_a_living_proxy_is_closed(silent_guest_socks: str) -> None:
    assert probe_port("192.0.2.1", 80, silent_guest_socks, timeout_s=0.3) is False


def test_a_page_is_read(web: int) -> None:
    answer = http_get(f"http://127.0.0.1:{web}/hello")
    assert (answer.status, answer.body, answer.error) == (200, b"hello", "")


def test_a_page_is_read_through_the_proxy(web: int, socks: Socks) -> None:
    answer = http_get(f"http://guest.test:{web}/hello", socks.url)
    assert (answer.status, answer.body) == (200, b"hello")
    assert socks.asked == [("guest.test", web)]


def test_a_redirect_is_shown_and_not_followed(web: int) -> None:
    assert http_get(f"http://127.0.0.1:{web}/away").status == 302


def test_a_body_beyond_the_limit_is_cut(web: int) -> None:
    answer = http_get(f"http://127.0.0.1:{web}/big", limit_bytes=1000)
    assert len(answer.body) == 1000
    assert "more than 1000 bytes" in answer.error


def test_a_proxy_in_the_environment_is_not_used(web: int, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    assert http_get(f"http://127.0.0.1:{web}/hello").status == 200


@pytest.mark.parametrize("url", ["http://127.0.0.1:{closed}/", "http://nobody.invalid/", "nonsense", "http://[::1/"])
def test_whatever_is_wrong_is_an_error_and_no_exception(url: str, closed_port: int) -> None:
    answer = http_get(url.format(closed=closed_port), timeout_s=2.0)
    assert answer.status is None
    assert answer.error


def test_silence_ends(silent_port: int) -> None:
    assert http_get(f"http://127.0.0.1:{silent_port}/", timeout_s=0.2).status is None


def test_a_body_is_posted_whole(web: int) -> None:
    body = bytes(range(256)) * 8192
    answer = http_post(f"http://127.0.0.1:{web}/upload", body)
    assert (answer.status, answer.body.decode()) == (200, hashlib.sha256(body).hexdigest())


def test_a_body_that_nobody_takes_in_stalls(silent_port: int) -> None:
    answer = http_post(f"http://127.0.0.1:{silent_port}/", bytes(32 * 1024 * 1024), timeout_s=30.0, stalled_s=0.3)
    assert answer.status is None
    assert answer.error


def test_a_body_that_is_taken_in_slowly_is_no_stall(slow_port: int) -> None:
    """Each piece and the answer come in time, though all of it takes far longer than a stall may."""
    began_s = time.monotonic()
    body = bytes(8 * 1024 * 1024)
    answer = http_post(f"http://127.0.0.1:{slow_port}/", body, timeout_s=30.0, stalled_s=0.5)
    assert (answer.status, answer.body, answer.error) == (200, b"late", "")
    assert time.monotonic() - began_s > 1.0


def test_a_body_that_was_not_through_in_time_is_late_and_not_lost(slow_port: int) -> None:
    answer = http_post(f"http://127.0.0.1:{slow_port}/", bytes(8 * 1024 * 1024), timeout_s=0.4, stalled_s=0.4)
    assert (answer.status, answer.is_late) == (None, True)


def test_a_way_in_that_is_broken_says_nothing_of_the_guest(web: int, closed_port: int) -> None:
    with pytest.raises(WayInBroken):
        http_get(f"http://127.0.0.1:{web}/hello", f"socks5h://127.0.0.1:{closed_port}")
