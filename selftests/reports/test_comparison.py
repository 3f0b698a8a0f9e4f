"""Runs side by side: what became of each check, what a gate makes of it, and which runs do not go together."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser
from rich.console import Console

import reports
from golden_flows.errors import InteropError, UsageError
from golden_flows.guideline import load_guideline as load_real_guideline
from golden_flows.journal import Journal
from golden_flows.model.guideline import Guideline
from golden_flows.model.matrix import Run
from golden_flows.model.outcome import ExitCode, Outcome
from interop_tests.cli import cli
from reports.comparison import document, page, text
from reports.comparison.compare import EXIT_MEANINGS, Change, Comparison, Line, compare, read_runs
from reports.read import read_run
from reports.rows import Judgement
from selftests.browser import SCHEMES, Scheme, launched, violations
from selftests.reports.conftest import BEGAN, HOSTILE, JournalBuilder, finding

Load = Callable[[str], Guideline]
Night = Callable[..., JournalBuilder]
Compared = Callable[..., Comparison]


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """Begins the journal of the next nightly run."""
    nights = iter(range(1, 100))

    def begin() -> JournalBuilder:
        number = next(nights)
        return JournalBuilder(tmp_path / f"run-{number}", f"run-{number}", BEGAN + timedelta(days=number))

    return begin


@pytest.fixture
def compared(night: Night, load: Load) -> Compared:
    """Runs in which all passes but N2-1, which ends as told, night by night (None: it was never asked).

    The flags are the last night's.
    """

    def make(*outcomes: str | None, check: str = "N2-1", flags: Sequence[str] = ()) -> Comparison:
        runs: list[Run] = []
        for number, outcome in enumerate(outcomes, 1):
            journal = night()
            planned = [one.id for one in load("2026.11").requirements if outcome or one.id != check]
            journal.start(plan=planned).all_pass(but=(check,))
            if outcome:
                wrong = [finding()] if outcome == "fail" else []
                journal.result(check, outcome, findings=wrong, flags=list(flags) if number == len(outcomes) else [])
            runs.append(read_run(journal.end(0).folder, load=load))
        return compare(runs)

    return make


def line(found: Comparison, check: str = "N2-1") -> Line:
    return next(one for one in found.lines if one.requirement.id == check)


@pytest.mark.parametrize(
    ("outcomes", "change", "code"),
    [
        (("pass", "pass"), Change.SAME, ExitCode.CERTIFIED),
        (("pass", "fail"), Change.WORSE, ExitCode.NONCONFORMANCE),
        (("fail", "pass"), Change.BETTER, ExitCode.CERTIFIED),
        (("fail", "fail"), Change.SAME, ExitCode.CERTIFIED),
        (("pass", "broken"), Change.WORSE, ExitCode.INCOMPLETE),
        (("fail", "broken"), Change.DIFFERENT, ExitCode.CERTIFIED),
        (("pass", "not-applicable"), Change.DIFFERENT, ExitCode.CERTIFIED),
        (("pass", "broken", "fail"), Change.WORSE, ExitCode.NONCONFORMANCE),
        (("pass", "broken", "broken"), Change.WORSE, ExitCode.INCOMPLETE),
        (("fail", "broken", "pass"), Change.BETTER, ExitCode.CERTIFIED),
        ((None, "pass"), Change.NEW, ExitCode.CERTIFIED),
        ((None, "fail"), Change.NEW, ExitCode.CERTIFIED),
        (("fail", None), Change.GONE, ExitCode.INCOMPLETE),
        (("pass", None, "fail"), Change.WORSE, ExitCode.NONCONFORMANCE),
    ],
)
def test_the_newest_run_is_held_against_what_was_last_known(
    outcomes: tuple[str | None, ...], change: Change, code: ExitCode, compared: Compared
) -> None:
    found = compared(*outcomes)
    assert line(found).change is change
    assert found.exit_code is code
    assert found.counts[change] == (14 if change is Change.SAME else 1)


@pytest.mark.parametrize("flag", ["shim=pushed-metadata", "waiver=W-1 until 2026-12-31"])
def test_a_pass_that_leans_on_something_is_worse_and_stops_no_gate(flag: str, compared: Compared) -> None:
    found = compared("pass", "pass", flags=[flag])
    assert line(found).change is Change.WORSE
    assert found.exit_code is ExitCode.CERTIFIED


def test_an_advisory_check_that_got_worse_stops_no_gate(compared: Compared) -> None:
    found = compared("pass", "fail", check="TX-6")
    assert line(found, "TX-6").change is Change.WORSE
    assert found.exit_code is ExitCode.CERTIFIED


@pytest.mark.parametrize(
    ("outcomes", "flags", "flaky"),
    [
        (("pass", "fail", "pass"), [], True),
        (("pass", "broken", "pass"), [], True),
        (("pass", "pass"), ["flaky=1"], True),
        (("pass", "fail", "fail"), [], False),
        (("fail", "pass", "pass"), [], False),
    ],
)
def test_what_comes_and_goes_is_flaky(
    outcomes: tuple[str, ...], flags: list[str], flaky: bool, compared: Compared
) -> None:
    found = compared(*outcomes, flags=flags)
    assert line(found).flaky is flaky
    assert len(found.flaky) == flaky


def test_a_pair_that_is_new_or_gone_is_told_as_one(night: Night, load: Load) -> None:
    before = night().start(("a", "b")).all_pass(src="a", dst="b").end().folder
    after = night().start(("a", "c")).all_pass(src="a", dst="c").end().folder
    found = compare([read_run(one, load=load) for one in (before, after)])
    assert [str(one.pair) for one in found.moved(Change.NEW)] == ["a → c"]
    assert [str(one.pair) for one in found.moved(Change.GONE)] == ["a → b"]
    assert found.changed(Change.NEW) == found.changed(Change.GONE) == ()
    assert found.exit_code is ExitCode.INCOMPLETE
    shown = said(found)
    assert "the pair a → c" in shown
    assert "N2-1" not in shown


def test_a_newest_run_that_never_ended_passes_no_gate(night: Night, load: Load) -> None:
    whole = night().start().all_pass().end().folder
    killed = night().start().all_pass().folder
    found = compare([read_run(one, load=load) for one in (whole, killed)])
    assert found.exit_code is ExitCode.INCOMPLETE
    assert "run-2 never ended" in found.notes[0]


def test_faults_and_other_suites_are_noted(night: Night, load: Load) -> None:
    first = night().start().cloud("public", active_faults=["nd_empty"]).all_pass().end().folder
    edited = night().start(suite_sha256="cd" * 32, guideline_sha256="ab" * 32)  # in place: the version is the same
    second = edited.all_pass().end().folder
    notes = "\n".join(compare([read_run(one, load=load) for one in (first, second)]).notes)
    assert "run-1 ran with faults: public: nd_empty" in notes
    assert "not the same suite: run-1 0.1.0 (no digest), run-2 0.1.0 (cdcdcdcdcdcd)" in notes
    assert "not the same text of the guideline" in notes


def said(found: Comparison, width: int = 110) -> str:
    shown = io.StringIO()
    text.render(found, Console(file=shown, width=width, no_color=True))
    return shown.getvalue()


def test_text_page_and_document_say_the_same(compared: Compared) -> None:
    found = compared("pass", "broken", "fail")
    told = document.document(found)
    (check,) = told["checks"]
    assert (check["id"], check["change"], told["exit_code"]) == ("N2-1", "worse", 1)
    assert [one["outcome"] for one in check["results"]] == ["pass", "broken", "fail"]
    assert check["findings"][0]["remedy"] == "what a deployer does about N2-1"
    assert "1 worse, 13 the same" in said(found)
    assert "✓!✗  ✓ pass → ✗ fail" in said(found)
    shown = page.page(found)
    for words in ("Worse: 1", "✓ pass → ✗ fail", "what a deployer does about N2-1", "1: a required check that held"):
        assert words in shown


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(reports.__file__).parent / "compare.schema.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize("outcomes", [("pass", "fail"), ("fail", None), (None, "pass"), ("pass", "pass", "pass")])
def test_the_document_fits_its_schema(outcomes: tuple[str | None, ...], compared: Compared, tmp_path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    path = document.write(compared(*outcomes, flags=["flaky=2"]), tmp_path / "compared.json")
    jsonschema.Draft202012Validator(schema()).validate(json.loads(path.read_text("utf-8")))


def test_the_schema_lists_every_word_of_the_model() -> None:
    words = schema()["$defs"]
    assert words["change"]["enum"] == [one.value for one in Change]
    assert set(words["outcome"]["enum"]) == {one.value for one in Outcome}
    assert words["pair"]["properties"]["judgements"]["items"]["enum"] == [*(one.value for one in Judgement), None]
    assert schema()["properties"]["exit_code"]["enum"] == [one.value for one in EXIT_MEANINGS]


def test_nothing_that_a_guest_says_becomes_markup(night: Night, load: Load) -> None:
    wrong = [dict.fromkeys(("subject", "expected", "actual", "remedy"), HOSTILE)]
    first = night().start().all_pass().end().folder
    second = night().start().all_pass(but=("N2-1",)).result("N2-1", "fail", findings=wrong).end(1).folder
    found = compare([read_run(one, load=load) for one in (first, second)])
    assert "<script" not in page.page(found)
    assert "<img" not in page.page(found)
    assert "\x1b" not in said(found)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_serious(scheme: Scheme, browser: Browser, compared: Compared, tmp_path: Path) -> None:
    path = page.write(compared("pass", "fail", None, "broken", "pass", flags=["flaky=1"]), tmp_path / "page.html")
    shown = browser.new_page(color_scheme=scheme)
    shown.goto(path.as_uri())
    assert shown.get_by_role("heading", name="5 runs compared").is_visible()
    assert violations(shown) == []
    shown.close()


@pytest.fixture
def real(night: Night) -> Callable[[], JournalBuilder]:
    """The next night's run by the guideline that the suite has, all of it passed."""

    def make() -> JournalBuilder:
        journal = night()
        planned = [one.id for one in load_real_guideline().asked(()).requirements]
        journal.start(plan=planned)
        for one in planned:
            journal.result(one)
        return journal

    return make


def test_the_command_gives_the_gate_its_exit_code(real: Callable[[], JournalBuilder], tmp_path: Path) -> None:
    good = real().end().folder
    bad = real().result("N2-1", "fail", findings=[finding()]).end(1).folder
    asked = ["compare", str(bad), str(good), "--html", str(tmp_path / "p.html"), "--json", str(tmp_path / "p.json")]
    ended = CliRunner().invoke(cli, asked)
    assert ended.exit_code == 1, ended.output
    assert "1 worse" in ended.output, "the oldest comes first, however they are named"
    assert json.loads((tmp_path / "p.json").read_text("utf-8"))["counts"]["worse"] == 1
    assert "Worse: 1" in (tmp_path / "p.html").read_text("utf-8")


def test_runs_that_cannot_be_compared_are_refused_by_name(real: Callable[[], JournalBuilder], tmp_path: Path) -> None:
    whole = real().end().folder
    with pytest.raises(UsageError, match="nothing to be compared with"):
        read_runs([whole, whole])
    with pytest.raises(UsageError, match=r"nowhere holds no journal\.jsonl"):
        read_runs([whole, tmp_path / "nowhere"])
    with pytest.raises(UsageError, match="hold the same run, run-1"):
        read_runs([whole, shutil.copytree(whole, tmp_path / "copy")])


def test_a_run_that_is_at_work_is_refused(real: Callable[[], JournalBuilder]) -> None:
    whole, working = real().end().folder, real().folder
    journal = Journal(working)
    with pytest.raises(UsageError, match="still at work"):
        read_runs([whole, working])
    journal.close()
    assert len(read_runs([whole, working])) == 2


def test_a_run_of_a_newer_suite_is_refused(real: Callable[[], JournalBuilder], night: Night) -> None:
    with pytest.raises(InteropError, match="run run-2: schema 99 is newer") as refused:
        read_runs([real().end().folder, night().start(schema=99).end().folder])
    assert "the suite that wrote it" in refused.value.remedy


def test_runs_by_other_guidelines_are_refused(real: Callable[[], JournalBuilder], load: Load) -> None:
    first, second = real().end().folder, real().end().folder
    path = second / "journal.jsonl"
    path.write_text(path.read_text("utf-8").replace('"guideline": "2026.11"', '"guideline": "2027.05"'), "utf-8")
    guidelines = {"2026.11": load("2026.11"), "2027.05": Guideline("2027.05", load("2026.11").requirements)}
    with pytest.raises(UsageError, match=r"run-2 was judged by guideline 2027\.05, run-1 by 2026\.11"):
        read_runs([first, second], load=guidelines.__getitem__)


@pytest.mark.parametrize("name", ["html", "json"])
def test_a_file_that_cannot_be_written_is_told(name: str, real: Callable[[], JournalBuilder], tmp_path: Path) -> None:
    folders = [str(real().end().folder) for _ in range(2)]
    ended = CliRunner().invoke(cli, ["compare", *folders, f"--{name}", str(tmp_path / "no" / "such" / "folder")])
    assert isinstance(ended.exception, InteropError)
    assert "cannot write" in ended.exception.what
