"""The matrix that is kept in docs/proof is whole: page and digest are of the same document."""

from __future__ import annotations

import hashlib
import json

from golden_flows.guideline import CURRENT, load_kill_matrix
from selftests.proof import page
from selftests.proof.__main__ import DOCUMENT, HTML_NAME
from selftests.proof.record import Record, judge


def test_the_page_shows_the_document_and_the_guideline_knows_its_digest() -> None:
    kept = json.loads(DOCUMENT.read_text("utf-8"))
    assert page.as_text(kept) == DOCUMENT.read_text("utf-8")
    assert page.render(kept) == (DOCUMENT.parent / HTML_NAME).read_text("utf-8")
    told = load_kill_matrix(CURRENT)
    assert told is not None
    assert told.sha256 == hashlib.sha256(DOCUMENT.read_bytes()).hexdigest()
    assert (told.made_at, told.suite_version) == (kept["made_at"], kept["suite_version"])
    assert (told.checks, told.proved_on_guests) == (kept["summary"]["checks"], kept["summary"]["proved_on_guests"])


def test_every_run_that_it_rests_on_can_be_judged_again_and_shows_what_was_claimed() -> None:
    for one in json.loads(DOCUMENT.read_text("utf-8"))["runs"]:
        assert judge(Record.load(one)).troubles == (), one["run"]
