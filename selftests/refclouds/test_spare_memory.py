"""What a machine has to spare for guests is no more than its control groups leave."""

from __future__ import annotations

from pathlib import Path

from refclouds.spare_memory import available_mib

MIB = 1 << 20


def test_the_tightest_group_on_the_way_up_counts_and_its_unused_file_pages_are_spare(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("4:memory:/elsewhere\n0::/machine/unit\n")
    for name, most, used, unused in (("machine", f"{64 * MIB}", 50, 10), ("machine/unit", "max", 40, 10)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "memory.max").write_text(f"{most}\n")
        (folder / "memory.current").write_text(f"{used * MIB}\n")
        (folder / "memory.stat").write_text(f"anon 1\ninactive_file {unused * MIB}\nactive_file 1\n")
    assert available_mib(tmp_path / "own", tmp_path) == 24
    (tmp_path / "machine/memory.current").write_text(f"{90 * MIB}\n")  # lowered after it was taken
    assert available_mib(tmp_path / "own", tmp_path) == 0


def test_a_machine_without_groups_has_what_its_kernel_says(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/\n")
    assert available_mib(tmp_path / "own", tmp_path) > 0
    assert available_mib(tmp_path / "none", tmp_path) > 0
