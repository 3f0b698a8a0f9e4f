from __future__ import annotations

import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from golden_flows.clouds.mover import Spooled
from golden_flows.clouds.sparse import sha256_of
from golden_flows.errors import InteropError
from golden_flows.flows import kept_export
from selftests.golden_flows.checks.facts_builder import healthy_facts

CONTENT = b"boot" + bytes(3 << 20) + b"end"


def spooled(folder: Path) -> Spooled:
    path = folder / "private.raw"
    path.write_bytes(CONTENT)
    export = healthy_facts().export
    assert export is not None
    facts = replace(export, downloaded_bytes=len(CONTENT), sha256=sha256_of(path, len(CONTENT)))
    return Spooled(facts, path, 1.0, None, None)


@pytest.mark.parametrize("links", [True, False])
def test_a_kept_export_outlives_the_scratch_and_says_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:

        def refuse(source: Path, target: Path) -> None:
            raise OSError(18, "Invalid cross-device link")

        monkeypatch.setattr("os.link", refuse)
    source = spooled(tmp_path)
    kept = kept_export.keep(source, tmp_path / "exports" / "private.raw")
    source.path.unlink()
    assert kept.read_bytes() == CONTENT
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    done = subprocess.run(["sha256sum", "-c", f"{kept.name}.sha256"], cwd=kept.parent, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_export_that_is_kept_again_is_still_whole(tmp_path: Path) -> None:
    source, target = spooled(tmp_path), tmp_path / "exports" / "private.raw"
    for _ in range(2):
        kept_export.keep(source, target)
    assert target.read_bytes() == source.path.read_bytes() == CONTENT


def test_no_room_is_told_with_the_option_to_leave_out(tmp_path: Path) -> None:
    (tmp_path / "exports").write_text("a file where a folder should be")
    with pytest.raises(InteropError, match="cannot keep the export") as raised:
        kept_export.keep(spooled(tmp_path), tmp_path / "exports" / "private.raw")
    assert "--keep-export" in raised.value.remedy
