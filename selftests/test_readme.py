"""README says what the guideline says."""

from __future__ import annotations

from selftests.checks_page import PAGE, page
from selftests.readme_checks import README, expected


def test_the_table_of_checks_is_fresh() -> None:
    text = README.read_text("utf-8")
    assert text == expected(text), "run: python -m selftests.readme_checks"


def test_the_install_line_names_the_packages_that_ci_installs() -> None:
    packages = (README.parent / ".ci" / "debian-packages").read_text("utf-8").split()
    line = next(one for one in README.read_text("utf-8").splitlines() if "apt-get install" in one)
    assert set(packages) <= set(line.split())


def test_the_page_of_checks_is_fresh() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m selftests.checks_page"
