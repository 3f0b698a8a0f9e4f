"""The few QMP commands a bare boot needs, over a socket pair.

Source: https://www.qemu.org/docs/master/interop/qmp-spec.html
"""

from __future__ import annotations

import json
import socket
from typing import Any


class Monitor:
    """One command at a time; events are skipped."""

    def __init__(self, connection: socket.socket) -> None:
        self._stream = connection.makefile("rwb")
        self._stream.readline()  # the greeting
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: str) -> Any:
        """The command's ``return`` value. Raises ``RuntimeError`` when QEMU refuses or is gone."""
        self._stream.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self._stream.flush()
        for line in self._stream:
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']}")
        raise RuntimeError(f"{command}: QEMU closed its monitor")

    def registers(self) -> str:
        """The virtual CPU's registers, as ``info registers`` prints them."""
        return str(self.ask("human-monitor-command", **{"command-line": "info registers"}))
