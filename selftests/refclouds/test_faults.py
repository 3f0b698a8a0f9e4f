"""Every named fault is a behaviour: some code asks for it, and nobody can switch one on where it means nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import refclouds
from refclouds.errors import UsageError
from refclouds.faults import FAULTS, Faults

ROOM = Path(refclouds.__file__).parent


OWN_CODE = {
    "qemu": {ROOM / "hypervisors/qemu.py", ROOM / "qemu_command.py"},
    "xen": {ROOM / "hypervisors/xen.py", *(ROOM / "xen").rglob("*.py")},
}


def asked_for(files: Iterable[Path] = ()) -> Iterator[str]:
    """Names in ``….active("x")``, ``….value("x")`` and ``….number("x")`` in these files, or in all of the room's."""
    for file in sorted(files or ROOM.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("active", "value", "number")
                and "faults" in ast.unparse(node.func.value).lower()
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and isinstance(node.args[0].value, str)
            ):
                yield node.args[0].value


def test_no_fault_is_a_name_without_a_behaviour() -> None:
    assert set(asked_for()) == set(FAULTS)


@pytest.mark.parametrize(("one", "other"), [("qemu", "xen"), ("xen", "qemu")])
def test_a_fault_that_one_hypervisor_has_the_other_has_too_or_refuses(one: str, other: str) -> None:
    elsewhere = set(asked_for(set(ROOM.rglob("*.py")) - OWN_CODE[one]))
    machines = {"qemu": ("pc",), "xen": ("pv", "hvm")}[other]
    for name in set(asked_for(OWN_CODE[one])) - elsewhere:
        assert not any(FAULTS[name].matters_in(f"{other}:{machine}") for machine in machines), name


@pytest.mark.parametrize(
    ("name", "here", "there"),
    [
        ("xs_500", "xen:pv", "qemu:pc"),
        ("xs_500", "xen:hvm", "qemu:pc"),
        ("initrd_no_pv", "xen:pv", "xen:hvm"),
        ("initrd_no_root", "qemu:pc", "xen:pv"),
        ("bus", "xen:hvm", "xen:pv"),
        ("nic2", "qemu:pc", "xen:pv"),
    ],
)
def test_a_fault_is_refused_where_it_would_change_nothing(name: str, here: str, there: str) -> None:
    assert Faults.parse([name], here).active(name)
    with pytest.raises(UsageError) as caught:
        Faults.parse([name], there)
    assert caught.value.what == f"fault {name!r} changes nothing on {there}"
    assert here.partition(":")[0] in caught.value.remedy


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_matters_to_some_cloud(name: str) -> None:
    assert any(FAULTS[name].matters_in(world) for world in ("qemu:pc", "xen:pv", "xen:hvm"))
