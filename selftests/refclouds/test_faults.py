"""Every named fault is a behaviour: some code asks for it, and nobody can switch one on where it means nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import refclouds
from refclouds.errors import UsageError
from refclouds.faults import FAULTS, Faults

ROOM = Path(refclouds.__file__).parent


def asked_for() -> Iterator[str]:
    """Names in ``….active("x")``, ``….value("x")`` and ``….number("x")`` anywhere in the reference clouds."""
    for file in sorted(ROOM.rglob("*.py")):
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


@pytest.mark.parametrize("name", sorted(name for name, fault in FAULTS.items() if fault.hypervisors))
def test_a_fault_of_one_hypervisor_is_refused_on_another(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        Faults.parse([name], "qemu")
    assert f"fault {name!r} means nothing on hypervisor 'qemu'" in caught.value.what
    assert "xen" in caught.value.remedy
    assert Faults.parse([name], "xen").active(name)
