"""What a source cloud gave, shared by every cell with that source: one export per source and run.

The first cell that needs a source brings its image out; the others wait, in whatever process they are, and find the
spool and its facts in the run's scratch. Facts may hold the password of the instance at home: the files are readable by
this user only, in a folder of the same kind that goes with the run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import filelock
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.json import make_converter

from golden_flows.errors import CloudError, InteropError, NeverUp
from golden_flows.flows.home import SourceImage
from golden_flows.waiting import Deadline, wait_for

# Facts are two dozen nested dataclasses, so they are brought to JSON and back by a library; never by pickle.
_CONVERTER = make_converter()
_CONVERTER.register_structure_hook_func(lambda kind: kind is object, lambda value, _: value)
# What went straight on is nobody else's.
_CONVERTER.register_structure_hook(
    SourceImage, make_dict_structure_fn(SourceImage, _CONVERTER, moved=override(omit=True))
)
_CONVERTER.register_unstructure_hook(
    SourceImage, make_dict_unstructure_fn(SourceImage, _CONVERTER, moved=override(omit=True))
)


def dumps(source: SourceImage) -> str:
    """As JSON, the password included."""
    return json.dumps(_CONVERTER.unstructure(source))


def loads(text: str) -> SourceImage:
    """What ``dumps`` wrote. Raises ``ValueError`` for anything else."""
    try:
        document: Any = json.loads(text)
        return _CONVERTER.structure(document, SourceImage)
    except Exception as error:  # cattrs raises groups of whatever it met
        raise ValueError(f"not a shared source: {error}") from error


class SourceShelf:
    """The folder where a run's processes leave their exports for one another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mine: dict[str, SourceImage] = {}

    def take(
        self, name: str, make: Callable[[Path], SourceImage], waiting: Callable[[], None], deadline: Deadline
    ) -> SourceImage:
        """What source ``name`` gave; made by ``make(spool)`` where nobody has done it yet.

        ``waiting`` is told when another process is at it. Raises ``InteropError`` when it could not be brought out,
        now or by whoever tried first: a source is asked once. But what went straight on is of this telling alone.
        """
        source = self._mine.get(name) or self._take(name, make, waiting, deadline)
        if source.trouble:
            kind = NeverUp if source.never_up else CloudError
            raise kind(f"{name} gave no image when the first cell asked for it: {source.trouble}", source.remedy)
        if source.moved is None:
            # Memory was measured for this cell; it says nothing of a later one's, and nothing of another process's.
            self._mine[name] = _for_others(source)
        return source

    def forget(self, cloud: str) -> None:
        """Have this source asked anew where it gave nothing, by itself or with a shim; what it gave stays."""
        for record in self._folder.glob("*.json"):
            name = unquote(record.stem)
            if name != cloud and not name.startswith(f"{cloud}+"):
                continue
            lock = self._lock(name)
            if _acquire(lock):  # else somebody else is asking it anew
                try:
                    if loads(record.read_text("utf-8")).trouble:
                        record.unlink()
                finally:
                    lock.release()

    def _take(
        self, name: str, make: Callable[[Path], SourceImage], waiting: Callable[[], None], deadline: Deadline
    ) -> SourceImage:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        lock = self._lock(name)
        if not _acquire(lock):
            waiting()
            wait_for(f"the export of {name} by another process", lambda: _acquire(lock), deadline=deadline)
        try:
            return self._find(name) or self._bring_out(name, make)
        finally:
            lock.release()

    def _find(self, name: str) -> SourceImage | None:
        record = self._path(name, "json")
        return _for_others(loads(record.read_text("utf-8"))) if record.is_file() else None

    def _bring_out(self, name: str, make: Callable[[Path], SourceImage]) -> SourceImage:
        spool = self._path(name, "raw")
        spool.unlink(missing_ok=True)  # of an earlier telling; whoever kept it has it by another name
        try:
            source = make(spool)
        except InteropError as error:
            self._keep(name, SourceImage(trouble=error.what, remedy=error.remedy, never_up=isinstance(error, NeverUp)))
            raise
        if source.moved is None:
            self._keep(name, source)
        return source

    def _lock(self, name: str) -> filelock.FileLock:
        return filelock.FileLock(self._path(name, "lock"), mode=0o600)

    def _keep(self, name: str, source: SourceImage) -> None:
        record = self._path(name, "json")
        partial = record.with_suffix(".partial")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(dumps(source))
        partial.replace(record)

    def _path(self, name: str, kind: str) -> Path:
        return self._folder / f"{quote(name, safe='')}.{kind}"


def _for_others(source: SourceImage) -> SourceImage:
    if source.spooled is None:
        return source
    spooled = replace(source.spooled, rss_before_bytes=None, rss_peak_bytes=None, shared=True)
    return replace(source, spooled=spooled)


def _acquire(lock: filelock.BaseFileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return False
    return True
