"""What a shim reads in the agent's place, and what it says of that."""

from __future__ import annotations

from golden_flows.shims.in_guest.server import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Found:
    """The tree to serve, and what was seen on the way, as the reference agent would report it (schema 1)."""

    def __init__(self, tree: Tree, told: str, seen: dict[str, Any]) -> None:
        self.tree, self.told, self.seen = tree, told, seen


class NotNeeded(Exception):
    """The cloud has itself what the shim supplies."""
