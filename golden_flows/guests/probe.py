"""Runs a probe in a guest: a program of ours, sent over SSH to the guest's own Python. Its answer is hostile input."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from importlib import resources

from golden_flows.errors import GuestError, shorten
from golden_flows.guests.ssh import GuestShell

ANSWER_LIMIT_BYTES = 1 << 20
_NO_PYTHON = 46
# -I -S: nothing of the guest's environment or site-packages decides what runs. A login that is not root's gets root's
# rights where sudo gives them without asking; what needs them says so by itself where it does not.
_COMMAND = """\
command -v python3 >/dev/null 2>&1 || exit {missing}
sudo=
[ "$(id -u)" = 0 ] || {{ command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null && sudo="sudo -n"; }}
exec $sudo python3 -I -S -B - {asked}
"""
_PACKAGE = "golden_flows.guests.probes"
_IMPORTED = re.compile(rf"^from {re.escape(_PACKAGE)}\.(\w+) import ", re.MULTILINE)
# What a probe imports of its own folder goes along, as modules of the names that they have here.
_WHOLE = """\
import sys, types
for name, text in {sources!r}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
"""


class NoPython(GuestError):
    """The guest has no Python 3 that could run a probe."""


def whole_program(name: str) -> bytes:
    """The probe ``name`` as one program for ``python3 -``."""
    text = _text(name)
    parts = dict.fromkeys(_parts(text))
    if not parts:
        return text.encode()
    sources = [*((f"{_PACKAGE}.{part}", _text(part)) for part in parts), ("__main__", text)]
    return _WHOLE.format(sources=sources).encode()


def _parts(text: str) -> list[str]:
    """What it imports of the folder, each after what that imports itself."""
    return [found for part in _IMPORTED.findall(text) for found in (*_parts(_text(part)), part)]


def _text(name: str) -> str:
    return (resources.files(_PACKAGE) / f"{name}.py").read_text("utf-8")


def run_probe(shell: GuestShell, name: str, asked: Mapping[str, object], *, timeout_s: float) -> dict[str, object]:
    """What the probe ``name`` answers to ``asked`` (which everybody in the guest can read: no secrets).

    Raises ``NoPython``, and ``GuestError`` when there is no answer, or one that is not a JSON object.
    """
    program = whole_program(name)
    command = _COMMAND.format(missing=_NO_PYTHON, asked=shlex.quote(json.dumps(asked)))
    done = shell.run(command, timeout_s=timeout_s, stdin=program)
    if done.exit_code == _NO_PYTHON:
        raise NoPython("the guest has no python3, which the probes need", "add python3 to the image")
    if done.exit_code != 0:
        complaint = shorten(done.stderr[-400:].decode("utf-8", "replace"), 200)
        raise GuestError(f"the {name} probe failed in the guest: {complaint or f'exit code {done.exit_code}'}")
    if len(done.stdout) > ANSWER_LIMIT_BYTES:
        raise GuestError(f"the {name} probe answered more than {ANSWER_LIMIT_BYTES} bytes")
    try:
        answer = json.loads(done.stdout)
    except (ValueError, RecursionError) as error:
        raise GuestError(f"the {name} probe's answer is not JSON") from error
    if not isinstance(answer, dict):
        raise GuestError(f"the {name} probe's answer is not a JSON object")
    return answer
