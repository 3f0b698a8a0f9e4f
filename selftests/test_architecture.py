"""The arrows of the house, read from imports: which room may know which."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REFEREE = ("golden_flows", "interop_tests", "reports")
PLAYERS = ("guest_agent", "metadata_shims", "golden_images", "refclouds", "xen_guest_tools")

NEVER: Mapping[str, tuple[str, ...]] = {
    # room: what it must not import, itself or deferred inside a function
    "golden_flows": (*PLAYERS, "interop_tests", "reports", "pytest", "_pytest"),
    "golden_flows.model": (
        *(f"golden_flows.{room}" for room in ("agents", "checks", "clouds", "flows", "guests", "journal", "waiting")),
        *("openstack", "requests", "paramiko", "keystoneauth1"),
    ),
    "golden_flows.clouds": ("golden_flows.flows", "golden_flows.checks"),
    "golden_flows.guests": ("golden_flows.flows", "golden_flows.checks", "golden_flows.clouds", "openstack"),
    "golden_flows.agents": ("golden_flows.flows", "golden_flows.checks", "golden_flows.clouds", "openstack"),
    "interop_tests": PLAYERS,
    "reports": (
        *PLAYERS,
        "interop_tests",
        "golden_flows.clouds",
        "golden_flows.flows",
        "golden_flows.guests",
        "openstack",
    ),
    "refclouds": REFEREE,
    "golden_images": REFEREE,
    "metadata_shims": (*REFEREE, "refclouds", "guest_agent", "golden_images"),
}

ONLY: Mapping[str, tuple[str, ...]] = {
    # room: all that it may import beside itself
    "golden_flows.checks": (
        *("__future__", "collections", "dataclasses", "enum", "itertools", "functools", "re", "math", "typing"),
        *("ipaddress", "golden_flows.model", "golden_flows.errors"),
    ),
    "golden_flows.model": (*sys.stdlib_module_names, "golden_flows.errors"),
    "golden_flows.errors": tuple(sys.stdlib_module_names),
    "golden_flows.shims.in_guest": tuple(sys.stdlib_module_names),
    "guest_agent": tuple(sys.stdlib_module_names),
    "xen_guest_tools": (*sys.stdlib_module_names, "guest_agent.xenstore"),
}

PURE = ("golden_flows.checks", "golden_flows.model")
IMPURE_MODULES = (
    "os",
    "io",
    "pathlib",
    "shutil",
    "socket",
    "ssl",
    "http",
    "urllib",
    "subprocess",
    "time",
    "random",
    "asyncio",
)
IMPURE_CALLS = {"open", "input", "print", "exec", "eval", "__import__"}


@cache
def modules() -> Mapping[str, Path]:
    """Every module of the house by its import name."""
    found: dict[str, Path] = {}
    for base, rooms in ((ROOT, REFEREE), (ROOT / "fixtures", PLAYERS)):
        for room in rooms:
            for path in sorted((base / room).rglob("*.py")):
                parts = path.relative_to(base).with_suffix("").parts
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text("utf-8"))


def imports(name: str, *, deferred: bool = True) -> set[str]:
    """Full names that a module imports; those inside functions and for types only where ``deferred``."""
    return {target for node in _statements(tree(name), deferred) for target in _targets(name, node)}


def _statements(parent: ast.AST, deferred: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif deferred or not (isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or _for_types_only(node)):
            yield from _statements(node, deferred)


def _for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def _targets(name: str, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (one.name for one in node.names)
        return
    source = node.module or ""
    if node.level:
        package = name if modules()[name].name == "__init__.py" else name.rpartition(".")[0]
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        source = f"{package}.{source}".rstrip(".")
    # `from package import module` is an import of that module
    submodules = {f"{source}.{one.name}" for one in node.names} & set(modules())
    yield from submodules
    if len(submodules) < len(node.names):
        yield source


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


def inside(room: str) -> list[str]:
    return [name for name in modules() if within(name, room)]


@pytest.mark.parametrize("room", NEVER)
def test_arrows_that_must_never_exist(room: str) -> None:
    forbidden = [
        f"{name} -> {target}"
        for name in inside(room)
        for target in imports(name)
        if any(within(target, one) for one in NEVER[room])
    ]
    assert forbidden == []


@pytest.mark.parametrize("room", ONLY)
def test_rooms_that_know_little(room: str) -> None:
    foreign = [
        f"{name} -> {target}"
        for name in inside(room)
        for target in imports(name)
        if not within(target, room) and not any(within(target, one) for one in ONLY[room])
    ]
    assert foreign == []


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_touch_no_network_clock_or_file(room: str) -> None:
    touched = [
        f"{name} -> {target}"
        for name in inside(room)
        for target in imports(name)
        if target.split(".")[0] in IMPURE_MODULES
    ]
    calls = [
        f"{name}:{node.lineno} {ast.unparse(node.func)}"
        for name in inside(room)
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Call) and _is_impure(node.func)
    ]
    assert touched + calls == []


def _is_impure(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id in IMPURE_CALLS
    return isinstance(function, ast.Attribute) and function.attr in ("now", "utcnow", "today")


def test_checks_do_not_know_one_another() -> None:
    arrows = [
        f"{name} -> {target}"
        for name in inside("golden_flows.checks")
        for target in imports(name)
        if within(target, "golden_flows.checks")
    ]
    assert arrows == []


def test_imports_make_no_cycle() -> None:
    graph = {name: {one for one in imports(name, deferred=False) if one in modules()} - {name} for name in modules()}
    assert _cycle(graph) == []


def _cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules that lie on or before a cycle: what is left when leaves are taken away again and again."""
    left = dict(graph)
    while leaves := [name for name, targets in left.items() if not targets & set(left)]:
        for name in leaves:
            del left[name]
    return sorted(left)


def test_a_cycle_would_be_found() -> None:
    assert _cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set()}) == ["a", "b", "c"]
    assert _cycle({"a": {"b"}, "b": set()}) == []


def test_fixtures_is_a_source_root_and_never_a_package() -> None:
    assert not (ROOT / "fixtures" / "__init__.py").exists()
    import fixtures  # the distribution that keystoneauth, openstacksdk and testtools need

    assert ROOT not in Path(str(fixtures.__file__)).parents or "site-packages" in str(fixtures.__file__)


def test_the_referee_sleeps_in_one_place() -> None:
    sleepers = {
        name
        for room in REFEREE
        for name in inside(room)
        for node in ast.walk(tree(name))
        if (isinstance(node, ast.Attribute) and node.attr == "sleep" and ast.unparse(node.value) in ("time", "asyncio"))
        or (isinstance(node, ast.ImportFrom) and node.module in ("time", "asyncio") and _names_sleep(node))
    }
    assert sleepers == {"golden_flows.waiting"}


def _names_sleep(node: ast.ImportFrom) -> bool:
    return any(one.name == "sleep" for one in node.names)


def test_code_outside_tests_asserts_nothing() -> None:
    asserting = [
        f"{name}:{node.lineno}"
        for name in modules()
        if not name.rpartition(".")[2].startswith("test_")
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Assert)
    ]
    assert asserting == []


@pytest.mark.parametrize("name", ["util", "utils", "helpers", "common", "manager", "misc"])
def test_no_module_is_named_after_nothing(name: str) -> None:
    assert [one for one in modules() if one.rpartition(".")[2] == name] == []


@pytest.mark.parametrize("room", [*REFEREE, *PLAYERS])
def test_every_room_is_looked_at(room: str) -> None:
    assert inside(room)
