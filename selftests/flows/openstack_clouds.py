"""Reference clouds kept up by `golden-flows clouds`, and programs that talk to them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


def command(*argv: str, env: Mapping[str, str]) -> str:
    """What a program printed; it has to end well."""
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def clouds_up(state: Path, *names: str, faults: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """These clouds up, all with these faults; the environment in which `openstack` finds them.

    Nothing of them is left in ``state``.
    """
    env = {**os.environ, "XDG_STATE_HOME": str(state), "COLUMNS": "200"}
    try:
        told = command("golden-flows", "clouds", "up", *names, *(f"--fault={one}" for one in faults), env=env)
        export = next(line for line in told.splitlines() if line.startswith("export "))
        name, value = export.removeprefix("export ").split("=", 1)
        yield {**env, name: value}
    finally:
        command("golden-flows", "clouds", "down", env=env)
    assert not list(state.glob("golden-flows/clouds/*/"))
