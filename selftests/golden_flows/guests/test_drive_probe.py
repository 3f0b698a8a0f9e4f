"""A config drive as the probe of a whole system sees it, on drives that the reference clouds' shim writes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from metadata_shims.config_drive import Form, write
from metadata_shims.instance import Instance

from golden_flows.guests.probes.drive import LATEST, Drive, names_below
from golden_flows.model.config_drive import ISO_EXTENSIONS, TREE

ANNE = Instance(uuid="1b4e28ba-2fa1-11d2-883f-0016d3cca427", ec2_id="i-1", name="a", hostname="a.b", project_id="p")


@pytest.fixture(autouse=True)
def sbin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/sbin")  # where root, and so the probe, finds blkid


def drive(folder: Path, form: Form) -> Drive:
    write(ANNE, folder / "drive", form)
    return Drive(str(folder / "drive"))


def test_a_disc_is_told_by_its_label_and_both_extensions(tmp_path: Path) -> None:
    seen = drive(tmp_path, Form()).seen
    assert (seen["filesystem"], seen["label"], seen["mode"]) == ("iso9660", "config-2", "0600")
    assert tuple(seen["extensions"]) == ISO_EXTENSIONS


def test_a_disc_without_long_names_has_no_extension(tmp_path: Path) -> None:
    assert drive(tmp_path, Form(long_names=False)).seen["extensions"] == []


def test_a_vfat_drive_has_none_to_have(tmp_path: Path) -> None:
    seen = drive(tmp_path, Form(filesystem="vfat", label="CONFIG-2")).seen
    assert (seen["filesystem"], seen["label"], seen["extensions"]) == ("vfat", "CONFIG-2", [])


def test_names_are_paths_and_those_of_folders_end_in_a_slash(tmp_path: Path) -> None:
    latest = tmp_path / LATEST
    latest.mkdir(parents=True)
    for path in TREE:
        (tmp_path / path).touch()
    (tmp_path / "ec2").mkdir()
    assert names_below(str(tmp_path)) == ["ec2/", "openstack/", f"{LATEST}/", *sorted(TREE)]
    assert names_below(str(tmp_path / "nowhere")) == []


@pytest.mark.parametrize(("password", "kept"), [("correct horse", {"log": "0640"}), (None, None), ("", None)])
def test_a_password_on_it_is_looked_for_in_the_agent_s_records(
    tmp_path: Path, password: str | None, kept: dict[str, str] | None
) -> None:
    found = drive(tmp_path, Form())
    found.files["meta_data.json"] = json.dumps({"uuid": "u", "admin_pass": password}).encode()
    (tmp_path / "log").write_text("config: correct horse\n")
    (tmp_path / "log").chmod(0o640)
    (tmp_path / "other").write_text("nothing of it\n")
    places = [str(tmp_path / name) for name in ("log", "other", "absent")]
    found.look_for_password(places)
    assert found.seen["admin_pass"] is bool(password)
    assert found.seen.get("kept") == (kept and {str(tmp_path / name): mode for name, mode in kept.items()})
    assert "correct horse" not in json.dumps(found.seen)
