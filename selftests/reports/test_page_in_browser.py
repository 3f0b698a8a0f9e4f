"""The matrix page where it is read: in a browser, by everybody, from disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from benchmarks.matrix_page import ten_by_ten
from golden_flows.model.guideline import Guideline
from golden_flows.model.stage import Stage
from reports.formats import matrix_html
from reports.read import read_run
from selftests.browser import SCHEMES, Scheme, launched, violations
from selftests.golden_flows.checks.facts_builder import said, with_boot
from selftests.reports.conftest import JournalBuilder

Load = Callable[[str], Guideline]
RUNS = ("failing", "killed", "hostile", "crowd", "bursting")
NARROW, WIDE = 390, 1280
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found


@pytest.fixture
def opened(browser: Browser, load: Load, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Opens the page of a run (a fixture's name), where nothing but the disk can be reached."""
    contexts = []

    def open_page(run: str, place: str = "", scheme: Scheme = "light", width: int = WIDE) -> Page:
        folder: Path = request.getfixturevalue(run)
        path = matrix_html.write(read_run(folder, load=load), folder)
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: pytest.fail(f"the page's script: {error}"))
        page.goto(path.as_uri() + place)
        return page

    yield open_page
    for one in contexts:
        one.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("run", RUNS)
def test_axe_finds_nothing_serious(run: str, scheme: Scheme, opened: Callable[..., Page]) -> None:
    page = opened(run, scheme=scheme)
    page.evaluate(OPEN_ALL)
    assert violations(page) == []


@pytest.mark.parametrize("run", ["failing", "crowd"])
def test_axe_finds_nothing_serious_on_a_narrow_screen(run: str, opened: Callable[..., Page]) -> None:
    page = opened(run, width=NARROW)
    page.evaluate(OPEN_ALL)
    assert violations(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_serious_in_a_pair_of_many(scheme: Scheme, opened: Callable[..., Page]) -> None:
    page = opened("crowd", "#a/c", scheme=scheme)
    page.evaluate(OPEN_ALL)
    assert page.locator("section.pair").is_visible()
    assert violations(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_would_see_what_is_hard_to_read(scheme: Scheme, opened: Callable[..., Page]) -> None:
    page = opened("failing", scheme=scheme)
    page.evaluate("document.documentElement.style.setProperty('--soft', '#808080')")
    assert any(one.startswith("color-contrast") for one in violations(page))


def test_a_pair_of_many_opens_from_the_keyboard_and_from_its_link(opened: Callable[..., Page]) -> None:
    page = opened("crowd")
    assert not page.locator("section.pair").count()
    page.locator("a.square").nth(2).focus()
    page.keyboard.press("Enter")
    assert page.locator("section.pair:visible h2").inner_text().split() == ["a", "→", "to", "c"]
    assert page.url.endswith("#a/c")
    assert opened("crowd", "#a/c").locator("section.pair:visible").count() == 1


def test_only_one_pair_of_many_is_open_at_a_time(opened: Callable[..., Page]) -> None:
    page = opened("crowd", "#a/c")
    page.goto(page.url.replace("#a/c", "#b/a"))
    assert page.locator("section.pair:visible").get_attribute("id") == "b/a"
    page.go_back()
    assert page.locator("section.pair:visible").get_attribute("id") == "a/c"


@pytest.mark.parametrize(("run", "place"), [("failing", ""), ("crowd", "#a/c")])
def test_a_column_of_checks_says_whose_they_are(run: str, place: str, opened: Callable[..., Page]) -> None:
    page = opened(run, place)
    assert page.locator("thead .pair:visible").inner_text() == ("a → c" if place else "private → public")


@pytest.mark.parametrize(("run", "place"), [("failing", "#N2-1"), ("crowd", "#a/c/N2-1")])
def test_a_check_has_a_link_of_its_own(run: str, place: str, opened: Callable[..., Page]) -> None:
    page = opened(run, place)
    row = page.locator("tr:target")
    assert row.is_visible()
    assert row.locator("a.id").get_attribute("href") == place
    assert "the second NIC" in row.inner_text()


def test_a_reader_without_scripts_gets_every_pair(browser: Browser, crowd: Path, load: Load) -> None:
    path = matrix_html.write(read_run(crowd, load=load), crowd)
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(path.as_uri() + "#a/c")
    assert page.locator("section.pair").count() == 5
    assert page.locator("section.pair:visible").get_attribute("id") == "a/c"
    context.close()


def test_what_is_not_a_pass_can_be_read_alone(opened: Callable[..., Page]) -> None:
    page = opened("failing")
    page.get_by_role("button", name="Only what is not a pass").press("Space")
    shown = {one.inner_text() for one in page.locator("tr.check:visible a.id").all()}
    assert shown == {"N2-1", "AP-1", "PV-1", "AU-1"}


@pytest.mark.parametrize(("run", "place"), [("failing", ""), ("crowd", "#a/c")])
def test_checks_are_found_by_their_words(run: str, place: str, opened: Callable[..., Page]) -> None:
    page = opened(run, place)
    page.keyboard.press("/")
    page.keyboard.type("NIC described")
    assert [one.inner_text() for one in page.locator("tr.check:visible a.id").all()] == ["N2-1"]
    assert page.get_by_role("status").inner_text() == "1 check"
    page.get_by_role("searchbox").fill("")
    assert page.locator("tr.check:visible").count() == 14


def test_a_search_goes_on_in_the_next_pair(opened: Callable[..., Page]) -> None:
    page = opened("crowd", "#a/c")
    page.get_by_role("searchbox").fill("the lease carries")
    page.goto(page.url.replace("#a/c", "#b/a"))
    assert [one.inner_text() for one in page.locator("tr.check:visible a.id").all()] == ["N1-1"]
    assert page.get_by_role("status").inner_text() == "1 check"


def test_the_line_that_a_finding_quotes_is_marked_and_seen(
    journal: JournalBuilder, browser: Browser, load: Load
) -> None:
    lines = [f"[{at}] starting" for at in range(400)]
    lines.insert(200, "  Kernel panic - not syncing: VFS <b>")
    wrong = said("BT-2", with_boot(console="\n".join(lines)))
    assert isinstance(wrong, tuple)
    journal.start().all_pass(but=("BT-1",)).evidence(Stage.BOOT, "console.log", "\n".join(lines).encode())
    journal.result("BT-1", "fail", findings=[asdict(one) for one in wrong])  # the short guideline has no BT-2
    folder = journal.end(1).folder
    page = browser.new_page()
    page.goto(matrix_html.write(read_run(folder, load=load), folder).as_uri())
    page.evaluate(OPEN_ALL)
    mark = page.locator("mark")
    assert mark.inner_text().strip() == lines[200].strip()
    assert page.locator("pre").inner_text().splitlines() == lines
    inside = mark.evaluate(
        "(mark) => { const box = mark.closest('pre').getBoundingClientRect(), at ="
        " mark.getBoundingClientRect(); return box.top < at.top && at.bottom < box.bottom; }"
    )
    assert inside
    page.close()


def test_nothing_that_a_guest_says_runs_in_a_pair_that_is_opened(opened: Callable[..., Page]) -> None:
    page = opened("crowd", "#a/c")
    page.on("dialog", lambda dialog: pytest.fail(f"a script of a guest ran: {dialog.message}"))
    page.evaluate(OPEN_ALL)
    assert page.locator("section.pair").get_by_text("<script>alert(1)</script>").first.is_visible()
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1


def test_the_pairs_of_ten_clouds_wait_until_they_are_asked_for(browser: Browser, tmp_path: Path) -> None:
    """What the browser need not build does not keep a reader waiting; ``benchmarks opening`` tells the seconds."""
    run = ten_by_ten(tmp_path)
    page = browser.new_page()
    page.goto(matrix_html.write(run, tmp_path).as_uri())
    overview = page.locator("*").count()
    page.locator("a.square").first.click()
    one_pair = page.locator("*").count() - overview
    page.close()
    assert one_pair > 5 * len(run.plan), "every check of the pair is there"
    assert overview < 10 * one_pair < len(run.cells) * one_pair


@pytest.fixture
def timed(journal: JournalBuilder) -> Path:
    """An export of a minute, half as long a boot, which breaks, and a stage that was never begun for it."""
    journal.start()
    cell = {"src": "private", "dst": "public"}
    for stage, outcome, seconds in (
        ("export", "pass", 60.0),
        ("boot", "broken", 30.0),
        ("metadata", "blocked", 0.0),
    ):
        if seconds:
            journal.say("stage_started", **cell, stage=stage)
        journal.say("stage_ended", **cell, stage=stage, outcome=outcome, seconds=seconds, detail="")
    return journal.end(3).folder


def test_the_timeline_shows_where_the_time_of_a_pair_went(opened: Callable[..., Page]) -> None:
    lane = opened("timed").locator(".timeline .lane")
    assert lane.locator("h3").inner_text().split("  ")[0].startswith("private → public")
    pieces = [one.bounding_box() for one in lane.locator(".bar span").all()]
    export, boot = (piece["width"] for piece in pieces if piece)
    assert export == pytest.approx(2 * boot, rel=0.05)
    told = [one.inner_text() for one in lane.locator("li").all()]
    assert [one.split(" 1 min")[0].split(" 30 s")[0] for one in told] == ["export RAW", "boot"]
    assert told[1].endswith("broken"), "what the pattern of the bar says stands there in words"
