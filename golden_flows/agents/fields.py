"""Reads untrusted JSON by type: every wrong type is a ``GuestError`` that names the key, and everything is capped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from golden_flows.errors import GuestError
from golden_flows.model.untrusted import pruned, told

T = TypeVar("T")

TEXT_LIMIT_CHARS = 64 * 1024
LIST_LIMIT = 512
NUMBER_LIMIT = 2**63


class Fields:
    """One JSON object at ``where`` of a document. Unknown keys are ignored; a missing key counts as null."""

    def __init__(self, document: object, where: str = "status") -> None:
        if not isinstance(document, Mapping):
            raise GuestError(f"the guest's report: {where} is not an object: {told(document)}")
        self._document: Mapping[str, Any] = document
        self._where = where

    def _wrong(self, key: str, wanted: str, value: object) -> GuestError:
        return GuestError(f"the guest's report: {self._where}.{key} is not {wanted}: {told(value)}")

    def has(self, key: str) -> bool:
        """Whether the document says anything under this key; null says nothing."""
        return self._document.get(key) is not None

    def names(self) -> tuple[str, ...]:
        """The document's keys, ``LIST_LIMIT`` of them at most."""
        return tuple(str(name)[:TEXT_LIMIT_CHARS] for name in self._document)[:LIST_LIMIT]

    def text_or_none(self, key: str) -> str | None:
        value = self._document.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self._wrong(key, "a text", value)
        return value[:TEXT_LIMIT_CHARS]

    def text(self, key: str, default: str | None = None) -> str:
        """Raises when it is missing and there is no default."""
        value = self.text_or_none(key)
        if value is None:
            if default is None:
                raise self._wrong(key, "there", None)
            return default
        return value

    def integer(self, key: str) -> int | None:
        value = self._document.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= NUMBER_LIMIT:
            raise self._wrong(key, "a whole number", value)
        return value

    def number(self, key: str) -> float | None:
        value = self._document.get(key)
        if value is None:
            return None
        # "not <" also turns away NaN, which Python's JSON reader accepts.
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) < NUMBER_LIMIT:
            raise self._wrong(key, "a number", value)
        return float(value)

    def flag(self, key: str) -> bool | None:
        value = self._document.get(key)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(key, "true or false", value)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._list(key)
        if not all(isinstance(one, str) for one in values):
            raise self._wrong(key, "a list of texts", values)
        return tuple(one[:TEXT_LIMIT_CHARS] for one in values)

    def text_map(self, key: str) -> dict[str, str | None]:
        """An object whose values are texts or null."""
        value = self._document.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping) or len(value) > LIST_LIMIT:
            raise self._wrong(key, "an object of texts", value)
        if not all(one is None or isinstance(one, str) for one in value.values()):
            raise self._wrong(key, "an object of texts", value)
        return {
            str(name)[:TEXT_LIMIT_CHARS]: one if one is None else one[:TEXT_LIMIT_CHARS] for name, one in value.items()
        }

    def untrusted(self, key: str) -> Mapping[str, object]:
        """What the guest got from the cloud, handed on as it is; empty when the cloud served nothing.

        What is no object comes under a name that no document has, so that nobody takes it for nothing.
        """
        value = pruned(self._document.get(key))
        if value is None:
            return {}
        return value if isinstance(value, dict) else {"": value}

    def object(self, key: str) -> Fields | None:
        value = self._document.get(key)
        return None if value is None else Fields(value, f"{self._where}.{key}")

    def each(self, key: str, parse: Callable[[Fields], T]) -> tuple[T, ...]:
        """A list of objects, each given to ``parse``."""
        return tuple(parse(one) for one in self._objects(key))

    def _objects(self, key: str) -> Iterator[Fields]:
        for index, one in enumerate(self._list(key)):
            yield Fields(one, f"{self._where}.{key}[{index}]")

    def _list(self, key: str) -> list[Any]:
        value = self._document.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > LIST_LIMIT:
            raise self._wrong(key, f"a list of at most {LIST_LIMIT}", value)
        return value
