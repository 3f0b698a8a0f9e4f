"""Whose trouble is it? The story's stages, without a guest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from golden_flows.clouds import mover
from golden_flows.clouds.mover import Moved
from golden_flows.errors import CloudError
from golden_flows.flows.anne import Anne
from golden_flows.flows.golden_flow import GoldenFlow
from golden_flows.flows.home import SourceImage
from golden_flows.flows.setting import Setting
from golden_flows.flows.shared_source import SourceShelf
from golden_flows.model.file_system import ExportedDisk
from golden_flows.model.outcome import Outcome
from golden_flows.model.stage import Stage
from selftests.golden_flows.checks.facts_builder import healthy_facts
from selftests.golden_flows.clouds.conftest import Drive, drive, golden

__all__ = ["drive", "golden"]


class Shelf:
    """With one source, whoever asks."""

    def __init__(self, source: SourceImage) -> None:
        self._source = source

    def take(self, *_: object) -> SourceImage:
        return self._source


def test_the_destinations_trouble_with_what_goes_straight_on_breaks_the_transfer_and_not_the_export(
    drive: Drive, tmp_path: Path
) -> None:
    healthy, driven = healthy_facts(), drive("private")
    assert healthy.export
    assert healthy.transfer
    driven.cloud.profile = replace(driven.cloud.profile, image="golden-pocket")
    trouble = CloudError("the destination lost our upload", "look at its log")
    moved = Moved(healthy.export, healthy.transfer, ExportedDisk(), None, trouble)
    source = SourceImage(spooled=mover.never_spooled(moved, tmp_path / "nowhere"), moved=moved)
    setting = Setting(driven.cloud, driven.cloud, driven.journal, tmp_path, "t1")
    flow = GoldenFlow(Anne(setting, cast(SourceShelf, Shelf(source))), driven.journal)
    assert flow.reach(Stage.EXPORT).run.outcome is Outcome.PASS
    transfer = flow.reach(Stage.TRANSFER).run
    assert (transfer.outcome, transfer.detail) == (Outcome.BROKEN, str(trouble))
