"""``certify``, ``verify`` and ``bundle`` as a user types them: what they say, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from interop_tests import cli
from selftests.reports.certificate.conftest import FOLDER, Earned, ssh_key
from selftests.reports.conftest import JournalBuilder, finding


@dataclass(frozen=True)
class Ended:
    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Ended]


@pytest.fixture
def golden_flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line with these arguments, in this process: a new interpreter takes seconds."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr("sys.argv", ["golden-flows", *map(str, arguments)])
        code: object = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        told = capsys.readouterr()
        assert isinstance(code, int)
        return Ended(code, told.out, told.err)

    return run


def test_a_mistake_of_ours_accuses_no_cloud(
    tmp_path: Path, golden_flows: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "write_all", None)
    told = golden_flows("report", _run(tmp_path))
    assert told.returncode == 3
    assert "Traceback" in told.stderr


def _run(tmp_path: Path, *, fails: bool = False) -> Path:
    began = datetime.now(UTC) - timedelta(hours=2)
    earned = Earned(JournalBuilder(tmp_path / "run-1", "run-1", began))
    earned.start()
    journal = earned.judge(but=("N2-1",))
    journal.result("N2-1", "fail", findings=[finding()]) if fails else journal.result("N2-1")
    return journal.end(0).folder


def test_from_a_run_to_a_bundle_that_another_verifies(
    tmp_path: Path, golden_flows: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDEN_FLOWS_KEY_PASSPHRASE", "over the hills")
    run, key = _run(tmp_path), ssh_key(tmp_path / "key", passphrase="over the hills")
    told = golden_flows("certify", run, "--key", key)
    assert told.returncode == 0, told.stderr
    assert f"private → public: certified: {run / FOLDER}" in told.stdout
    assert f'href="{FOLDER}/certificate.html"' in (run / "matrix.html").read_text("utf-8")
    assert golden_flows("bundle", run).returncode == 0
    told = golden_flows("verify", "run-1.tar.gz", "--key", "key.pub")
    assert told.returncode == 0, told.stdout
    assert "private → public: genuine, PASSED, reference cloud on emulated hardware" in told.stdout
    told = golden_flows("verify", "run-1.tar.gz")
    assert told.returncode == 3
    assert "not established: nobody vouches for the key" in told.stdout
    told = golden_flows("verify", run / FOLDER / "attestation.intoto.json", "--key", f"{ssh_key(tmp_path / 'k2')}.pub")
    assert told.returncode == 4
    assert "refused: signed by another key" in told.stdout


def test_a_pair_that_failed_is_refused_with_the_runs_exit_code(tmp_path: Path, golden_flows: Command) -> None:
    told = golden_flows("certify", _run(tmp_path, fails=True))
    assert told.returncode == 1
    assert "private → public: refused:\n  - N2-1 fail:" in told.stdout


def test_bad_input_is_one_message_with_a_remedy(tmp_path: Path, golden_flows: Command) -> None:
    run, locked = _run(tmp_path), ssh_key(tmp_path / "locked", passphrase="over the hills")
    for arguments, told in (
        (("certify", tmp_path), "holds no journal.jsonl"),
        (("certify", run, "--key", tmp_path / "absent"), "cannot read the key"),
        (("certify", run, "--key", locked), "is encrypted, and no passphrase was given"),
        (("certify", run, "--key", run / "journal.jsonl"), "holds no private key that can sign"),
        (("verify", run), "is a folder"),
        (("verify", tmp_path / "absent"), "cannot read"),
        (("verify", run / "journal.jsonl"), "is no JSON"),
        (("bundle", tmp_path), "holds no journal.jsonl"),
    ):
        ended = golden_flows(*arguments)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert told in ended.stderr
        assert "remedy: " in ended.stderr
    assert not (run / "certificates").exists()


def test_a_report_without_its_evidence_says_so(tmp_path: Path, golden_flows: Command) -> None:
    run = _run(tmp_path)
    whole = golden_flows("report", run)
    assert whole.stderr == ""
    for one in (run / "evidence").iterdir():
        one.unlink()
    gone = golden_flows("report", run)
    assert gone.returncode == whole.returncode, "what was judged stays judged; only a certificate is refused"
    assert gone.stderr.startswith("note: 2 evidence files are not as the run left it: evidence public.console.log (")
    assert gone.stderr.endswith("…) is missing\n")
