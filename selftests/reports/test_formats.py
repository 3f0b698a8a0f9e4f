"""Every format says the same of a run, and none lets a guest write into it."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from junitparser import JUnitXml
from subunit import ByteStreamToStreamResult
from testtools import StreamToDict

from golden_flows.errors import InteropError
from golden_flows.model.cloud import Pair
from golden_flows.model.guideline import Guideline
from golden_flows.model.outcome import Outcome
from golden_flows.model.stage import Stage
from reports import write as writing
from reports.certificate.places import folder_name
from reports.read import read_run
from reports.rows import SYMBOLS, WORDS
from reports.write import Format, formats, write_all
from selftests.reports.conftest import JournalBuilder

Load = Callable[[str], Guideline]
PASSED = ("EX-1", "TX-6", "IM-2", "CV-1", "BT-1", "BT-8", "N1-1", "MD-1", "LC-2")
"""In the run ``failing``."""
RUNS = ("healthy", "failing", "killed", "hostile", "crowd", "bursting")


@pytest.fixture(params=RUNS)
def folder(request: pytest.FixtureRequest) -> Path:
    path = request.getfixturevalue(request.param)
    assert isinstance(path, Path)
    return path


@pytest.mark.parametrize("name", sorted(formats()))
def test_format_keeps_its_contract(name: str, folder: Path, load: Load) -> None:
    one: Format = formats()[name]
    path = one.write(read_run(folder, load=load), folder)
    assert path == folder / one.NAME
    assert path.exists()
    assert not [left.name for left in folder.iterdir() if left.name.startswith(".")]


@pytest.mark.parametrize("name", sorted(formats()))
def test_format_can_be_written_again(name: str, failing: Path, load: Load) -> None:
    run = read_run(failing, load=load)
    paths = {formats()[name].write(run, failing) for _ in range(2)}
    assert paths == {failing / name}


@pytest.mark.parametrize("name", sorted(formats()))
def test_report_that_cannot_be_written_leaves_the_old_one(name: str, failing: Path, load: Load) -> None:
    run = read_run(failing, load=load)
    path = formats()[name].write(run, failing)
    before = _contents(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))  # as a disk that is full after 64 bytes
    try:
        with pytest.raises(InteropError, match="cannot write"):
            formats()[name].write(run, failing)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert before == _contents(path)
    assert not [left.name for left in failing.iterdir() if left.name.startswith(".")]


def _contents(path: Path) -> list[bytes]:
    return sorted(one.read_bytes() for one in ([path] if path.is_file() else path.iterdir()))


def test_results_fit_their_schema(folder: Path, load: Load) -> None:
    schema = json.loads((Path(writing.__file__).parent / "results.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    path = formats()["results.json"].write(read_run(folder, load=load), folder)
    jsonschema.Draft202012Validator(schema).validate(json.loads(path.read_text("utf-8")))


def test_a_report_names_the_kill_matrix_that_the_suite_had(tmp_path: Path, load: Load) -> None:
    told = {"sha256": "cd" * 32, "made_at": "2026-11-28T17:00:00+00:00", "suite_version": "0.1.0"}
    folder = JournalBuilder(tmp_path / "run").start(kill_matrix={**told, "checks": 100, "proved_on_guests": 7}).folder
    files = write_all(folder, load=load)
    document = json.loads(files["results.json"].read_text("utf-8"))
    assert document["kill_matrix"] == {**told, "checks": 100, "proved_on_guests": 7}
    schema = json.loads((Path(writing.__file__).parent / "results.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    for name in ("matrix.html", "matrix.md"):
        text = files[name].read_text("utf-8")
        assert "cd" * 32 in text
        assert "7 of 100 checks proved on guests, 2026-11-28" in text


def test_schema_lists_every_word_of_the_model() -> None:
    schema = json.loads((Path(writing.__file__).parent / "results.schema.json").read_text("utf-8"))
    assert set(schema["$defs"]["outcome"]["enum"]) == {o.value for o in Outcome}
    assert schema["$defs"]["stage_name"]["enum"] == [one.value for one in Stage]


def test_results_say_what_is_wrong_and_what_helps(failing: Path, load: Load) -> None:
    document = json.loads(formats()["results.json"].write(read_run(failing, load=load), failing).read_text("utf-8"))
    (cell,) = document["cells"]
    checks = {check["id"]: check for point in cell["points"] for st in point["stages"] for check in st["checks"]}
    assert document["exit_code"] == 1
    assert cell["judgement"] == "not compatible"
    assert checks["N2-1"]["findings"][0]["remedy"] == "what a deployer does about N2-1"
    assert checks["AP-1"]["blocked_by"] == "secondary_nic"
    assert checks["AU-1"]["outcome"] == "not-run"


def test_junit_keeps_the_outcomes_apart(failing: Path, load: Load) -> None:
    path = formats()["junit.xml"].write(read_run(failing, load=load), failing)
    (suite,) = JUnitXml.fromfile(str(path))
    said = {case.name.split()[0]: [(type(one).__name__, one.message) for one in case.result] for case in suite}
    assert said["EX-1"] == []
    assert said["N2-1"][0][0] == "Failure"
    assert said["PV-1"] == [("Error", "broken: the guest never reported")]
    assert said["AU-1"] == [("Error", "not-run: never executed")]
    assert said["AP-1"] == [("Skipped", "blocked by stage secondary NIC: no address to ask")]
    assert said["UD-1"] == [("Skipped", "not-applicable: the cloud offers no user data: GET answered 404")]
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (14, 1, 2, 2)
    assert {one.name: one.value for one in suite.properties()}["active_faults"] == "public: nd_empty"


def _allure(folder: Path) -> dict[str, dict[str, object]]:
    results = (json.loads(one.read_text("utf-8")) for one in (folder / "allure-results").glob("*-result.json"))
    return {str(one["name"]).split()[0]: one for one in results}


def test_allure_keeps_the_outcomes_apart(failing: Path, load: Load) -> None:
    formats()["allure-results"].write(read_run(failing, load=load), failing)
    found = _allure(failing)
    statuses = {name: one["status"] for name, one in found.items()}
    assert len(found) == 14
    assert {name: statuses[name] for name in ("EX-1", "N2-1", "PV-1", "AU-1", "AP-1", "UD-1")} == {
        "EX-1": "passed", "N2-1": "failed", "PV-1": "broken", "AU-1": "broken", "AP-1": "skipped", "UD-1": "skipped",
    }  # fmt: skip


def test_allure_attaches_the_evidence_of_the_stage(failing: Path, load: Load) -> None:
    path = formats()["allure-results"].write(read_run(failing, load=load), failing)
    (attached,) = _allure(failing)["N2-1"]["attachments"]  # type: ignore[misc]  # JSON
    assert (path / attached["source"]).read_bytes() == b"eth1: no carrier\n"  # type: ignore[has-type]  # JSON
    assert "attachments" not in _allure(failing)["EX-1"] or not _allure(failing)["EX-1"]["attachments"]


def test_allure_history_lines_up_between_runs(failing: Path, load: Load, journal: JournalBuilder) -> None:
    formats()["allure-results"].write(read_run(failing, load=load), failing)
    before = {name: one["historyId"] for name, one in _allure(failing).items()}
    formats()["allure-results"].write(read_run(failing, load=load), failing)
    assert before == {name: one["historyId"] for name, one in _allure(failing).items()}
    assert len(set(before.values())) == len(before)


def test_allure_sorts_what_is_not_a_pass_into_one_category_each(failing: Path, load: Load) -> None:
    path = formats()["allure-results"].write(read_run(failing, load=load), failing)
    categories = json.loads((path / "categories.json").read_text("utf-8"))
    found: dict[str, list[str]] = {}
    for check, result in _allure(failing).items():
        said = result.get("statusDetails") or {}
        assert isinstance(said, dict)
        found[check] = [
            one["name"]
            for one in categories
            if result["status"] in one["matchedStatuses"]
            and re.fullmatch(one.get("messageRegex", "(?s).*"), said.get("message", ""))  # as Allure does
        ]
    assert found == {
        **{check: [] for check in PASSED},
        "N2-1": ["Nonconformance: a cloud is wrong"],
        "PV-1": ["Broken: we could not find out"],
        "AU-1": ["Never executed"],
        "AP-1": ["Blocked by an earlier stage"],
        "UD-1": ["Not applicable"],
    }


def test_allure_tells_the_stages_up_to_the_checks_own(failing: Path, load: Load) -> None:
    formats()["allure-results"].write(read_run(failing, load=load), failing)
    steps = [one["name"] for one in _allure(failing)["IM-2"]["steps"]]  # type: ignore[attr-defined]  # JSON
    assert steps == ["export RAW", "transfer", "import"]


def _stream(path: Path) -> dict[str, dict[str, Any]]:
    """A subunit stream as testtools puts it together, test by test."""
    tests: list[Any] = []
    result = StreamToDict(tests.append)
    result.startTestRun()
    with path.open("rb") as file:
        ByteStreamToStreamResult(file).run(result)
    result.stopTestRun()
    return {str(one["id"]): one for one in tests}


def test_subunit_keeps_the_outcomes_apart(failing: Path, load: Load) -> None:
    tests = _stream(formats()["results.subunit"].write(read_run(failing, load=load), failing))
    assert len(tests) == 14
    wanted = {
        "EX-1": ("success", "pass"),
        "N2-1": ("fail", "fail"),
        "PV-1": ("fail", "broken"),
        "AU-1": ("fail", "not-run"),
        "AP-1": ("skip", "blocked"),
        "UD-1": ("skip", "not-applicable"),
    }
    for check, (status, tag) in wanted.items():
        test = tests[f"golden_flow.private-public.{check}"]
        assert test["status"] == status
        assert {tag, "required"} <= test["tags"]
    said = tests["golden_flow.private-public.N2-1"]["details"]
    assert "what a deployer does about N2-1" in said["traceback"].as_text()
    assert "anne-dst.console.log" in said["evidence"].as_text()
    assert "GET answered 404" in tests["golden_flow.private-public.UD-1"]["details"]["reason"].as_text()
    assert "advisory" in tests["golden_flow.private-public.TX-6"]["tags"]


def test_subunit_says_when_and_how_long(failing: Path, load: Load) -> None:
    tests = _stream(formats()["results.subunit"].write(read_run(failing, load=load), failing))
    began, ended = tests["golden_flow.private-public.N2-1"]["timestamps"]
    stage = next(one for one in read_run(failing, load=load).cells[0].stages if one.stage is Stage.SECONDARY_NIC)
    assert began == stage.started_at
    assert (ended - began).total_seconds() == 0.01


def test_openstacks_own_tools_read_the_stream(failing: Path, load: Load) -> None:
    path = formats()["results.subunit"].write(read_run(failing, load=load), failing)
    program = Path(sys.executable).with_name("subunit-stats")
    with path.open("rb") as stream:
        counted = subprocess.run([program], stdin=stream, capture_output=True, text=True, check=False)
    numbers = {name: int(number) for name, number in re.findall(r"(\w+) tests: +(\d+)", counted.stdout)}
    assert numbers == {"Total": 14, "Passed": 9, "Failed": 3, "Skipped": 2}


class _Elements(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


@pytest.mark.parametrize("run", ["hostile", "crowd"])
@pytest.mark.parametrize("name", ["matrix.html", "matrix.md"])
def test_nothing_that_a_guest_says_becomes_markup(
    name: str, run: str, load: Load, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(run)
    page = formats()[name].write(read_run(folder, load=load), folder).read_text("utf-8")
    text = page if name == "matrix.html" else re.sub(r"(`+).*?\1", "", page)  # code spans are inert
    elements = _Elements(text)
    assert "img" not in {tag for tag, _ in elements.seen}
    assert not [attrs for _, attrs in elements.seen if any(one.startswith("on") for one in attrs)]
    assert len([tag for tag, _ in elements.seen if tag == "script"]) == (1 if name == "matrix.html" else 0)
    if name == "matrix.md":
        assert not re.search(r"(?<!\\)\]\(javascript", text)


def test_page_needs_nothing_from_outside(hostile: Path, load: Load) -> None:
    page = formats()["matrix.html"].write(read_run(hostile, load=load), hostile).read_text("utf-8")
    links = [value for _, attrs in _Elements(page).seen for key, value in attrs.items() if key in ("src", "href")]
    assert links
    assert all(re.fullmatch(r"evidence/[0-9a-f]{64}|#[A-Z0-9]+-[0-9]+", str(one)) for one in links)


def test_page_does_not_link_what_a_browser_would_run(hostile: Path, load: Load) -> None:
    page = formats()["matrix.html"].write(read_run(hostile, load=load), hostile).read_text("utf-8")
    linked = {str(attrs["href"]) for tag, attrs in _Elements(page).seen if tag == "a"}
    linked = {one for one in linked if not one.startswith("#")}
    assert linked
    assert all(not (hostile / one).read_bytes().lstrip().startswith(b"<") for one in linked)
    assert "open as text" in page


def test_evidence_that_was_altered_is_not_shown_as_evidence(failing: Path, load: Load) -> None:
    (kept,) = (failing / "evidence").iterdir()
    kept.write_bytes(b"something else")
    page = formats()["matrix.html"].write(read_run(failing, load=load), failing).read_text("utf-8")
    assert "<strong>altered</strong>" in page
    assert "something else" not in page


def test_lost_evidence_is_told(failing: Path, load: Load) -> None:
    (kept,) = (failing / "evidence").iterdir()
    kept.unlink()
    write_all(failing, load=load)
    assert "<strong>missing</strong>" in (failing / "matrix.html").read_text("utf-8")


@pytest.mark.parametrize("name", ["matrix.html", "matrix.md", "matrix.txt"])
def test_answers_are_readable_without_colour(name: str, failing: Path, load: Load) -> None:
    page = formats()[name].write(read_run(failing, load=load), failing).read_text("utf-8")
    for outcome in Outcome:
        assert SYMBOLS[outcome] in page
    for outcome in set(Outcome) - {Outcome.PASS}:
        assert WORDS[outcome] in page
    for word in ("private → public", "not compatible", "public: nd_empty", "a link", "what a deployer does about N2-1"):
        assert word in page


@pytest.mark.parametrize("name", ["matrix.html", "matrix.md", "matrix.txt"])
def test_killed_run_says_so(name: str, killed: Path, load: Load) -> None:
    page = formats()[name].write(read_run(killed, load=load), killed).read_text("utf-8")
    assert "never" in page
    assert "could not be judged" in page
    assert "incomplete" in page.lower()
    assert ": compatible" not in page


@pytest.mark.parametrize("name", ["matrix.html", "matrix.md", "matrix.txt"])
def test_stage_that_broke_says_how(name: str, journal: JournalBuilder, load: Load) -> None:
    journal.start().stage(Stage.BOOT, "broken", detail="waited 120 s for the guest").stage(Stage.AUTH, "blocked")
    page = formats()[name].write(read_run(journal.end(3).folder, load=load), journal.folder).read_text("utf-8")
    assert "waited 120 s for the guest" in page
    assert "never begun" in page


def test_what_never_ran_passes_in_no_format(journal: JournalBuilder, load: Load) -> None:
    folder = journal.start(plan=[]).end().folder
    write_all(folder, load=load)
    (suite,) = JUnitXml.fromfile(str(folder / "junit.xml"))
    assert suite.errors == suite.tests == 14
    assert {one["status"] for one in _allure(folder).values()} == {"broken"}
    assert '"pass"' not in (folder / "results.json").read_text("utf-8")
    assert "✓ EX" not in (folder / "matrix.txt").read_text("utf-8")
    assert "✓ pass |" not in (folder / "matrix.md").read_text("utf-8")
    assert "answer o-pass" not in (folder / "matrix.html").read_text("utf-8")


def test_run_without_pairs_judges_nothing(journal: JournalBuilder, load: Load) -> None:
    journal.say("run_started", run="r", suite_version="0", guideline="2026.11", plan=[], cells=[])
    write_all(journal.end().folder, load=load)
    for name in ("matrix.html", "matrix.md"):
        assert "othing was judged" in (journal.folder / name).read_text("utf-8")
    assert json.loads((journal.folder / "results.json").read_text("utf-8"))["exit_code"] == 3


DEVICES = """\
installed in the first boot, b-1
  disk /dev/sda1 ata_piix

after the reboot, boot b-2
  disk /dev/xvda1 vbd
"""


@pytest.mark.parametrize("name", ["matrix.html", "matrix.md"])
def test_devices_before_and_after_stand_on_the_page(name: str, journal: JournalBuilder, load: Load) -> None:
    journal.start().all_pass()
    journal.evidence(Stage.PV_DRIVERS, "devices.txt", DEVICES.encode())
    page = formats()[name].write(read_run(journal.end().folder, load=load), journal.folder).read_text("utf-8")
    before, after = page.index("/dev/sda1 ata_piix"), page.index("/dev/xvda1 vbd")
    assert before < after
    assert "after the reboot, boot b-2" in page


@pytest.mark.parametrize("name", ["matrix.html", "matrix.md", "matrix.txt"])
def test_devices_that_a_guest_made_up_stay_text(name: str, journal: JournalBuilder, load: Load, attack: str) -> None:
    journal.start().all_pass()
    journal.evidence(Stage.PV_DRIVERS, "devices.txt", f"{attack}\n  {attack}\n".encode("utf-8", "replace"))
    page = formats()[name].write(read_run(journal.end().folder, load=load), journal.folder).read_text("utf-8")
    text = page if name == "matrix.html" else re.sub(r"(`+).*?\1", "", page)
    assert "img" not in {tag for tag, _ in _Elements(text).seen}


@pytest.mark.parametrize("name", ["matrix.html", "matrix.md", "matrix.txt"])
def test_a_cell_says_what_its_clouds_really_are(name: str, journal: JournalBuilder, load: Load) -> None:
    level = "reference cloud on a real hypervisor"
    journal.start().all_pass()
    journal.cloud("public", evidence_level=level, evidence_detail="Xen 4.17.7, real, in QEMU 7.2.22 TCG")
    page = formats()[name].write(read_run(journal.end().folder, load=load), journal.folder).read_text("utf-8")
    told = "public: Xen 4.17.7, real, in QEMU 7.2.22 TCG"
    head = page[page.index("<thead>") : page.index("</thead>")] if name == "matrix.html" else page
    assert told in head
    if name == "matrix.md":
        assert told in next(line for line in page.splitlines() if line.startswith("| Check |"))


@pytest.mark.parametrize(("src", "dst"), [("private", "public"), ("a/b", "ü+ c#")])
def test_a_pair_with_a_certificate_beside_the_run_links_to_it(
    src: str, dst: str, journal: JournalBuilder, load: Load
) -> None:
    folder = journal.start((src, dst)).all_pass(src=src, dst=dst).end().folder
    assert not _certificates(folder, load)
    lies_at = folder / "certificates" / folder_name(Pair(src, dst)) / "certificate.html"
    lies_at.parent.mkdir(parents=True)
    lies_at.touch()
    (link,) = _certificates(folder, load)
    assert folder / unquote(link) == lies_at


def test_a_pair_that_is_not_compatible_has_no_certificate_whatever_lies_there(failing: Path, load: Load) -> None:
    lies_at = failing / "certificates" / "private+public" / "certificate.html"
    lies_at.parent.mkdir(parents=True)
    lies_at.touch()
    assert not _certificates(failing, load)


def _certificates(folder: Path, load: Load) -> list[str]:
    page = formats()["matrix.html"].write(read_run(folder, load=load), folder).read_text("utf-8")
    links = [str(attrs.get("href")) for tag, attrs in _Elements(page).seen if tag == "a"]
    return [one for one in links if one.startswith("certificates/")]
