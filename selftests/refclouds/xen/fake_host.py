"""Stands in for the QEMU of a Xen host: a monitor and dom0's agent that answer, in a process that can be killed.

What it is to do stands in a file ``behaviour.json`` beside it:
``{"silent": bool, "exit_at_start": int | null, "programs": {"name": [exit code, stdout, seconds]}}``.
"""

import array
import base64
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Answer = Callable[[str, dict[str, Any]], tuple[object, list[object]]]
BEHAVIOUR = json.loads((Path(sys.argv[0]).parent / "behaviour.json").read_text())


def descriptor(chardev: str) -> int:
    """The number in ``-chardev socket,id=NAME,fd=N``."""
    option = next(word for word in sys.argv if word.startswith(f"socket,id={chardev},"))
    return int(option.rpartition("fd=")[2])


def serve(fd: int, answer: Answer, greeting: bytes = b"") -> None:
    end = socket.socket(fileno=fd)
    end.sendall(greeting)
    unread = b""
    while True:
        data, ancillary, _flags, _address = end.recvmsg(65536, 1024)
        if not data:
            return
        for _level, _kind, found in ancillary:
            NOTED.append(["descriptor", len(array.array("i", found))])
        unread += data
        for request in requests(unread.decode()):
            reply, events = answer(request["execute"], request.get("arguments", {}))
            for event in events:
                end.sendall(json.dumps(event).encode() + b"\n")
            named = {"id": request["id"]} if "id" in request else {}
            end.sendall(json.dumps({"return": reply, **named}).encode() + b"\n")
        unread = b""


def requests(text: str) -> Iterator[dict[str, Any]]:
    """Clients put no end of line between them; the ones of these tests come whole."""
    decoder = json.JSONDecoder()
    while text := text.strip():
        request, end = decoder.raw_decode(text)
        yield request
        text = text[end:]


NOTED: list[object] = []
STARTED: dict[int, tuple[float, list[object]]] = {}


def monitor(command: str, arguments: dict[str, object]) -> tuple[object, list[object]]:
    NOTED.append([command, arguments])
    (Path(sys.argv[0]).parent / "monitor.json").write_text(json.dumps(NOTED))
    stamp = {"seconds": 0, "microseconds": 0}
    deleted = {"event": "DEVICE_DELETED", "data": {"device": arguments.get("id")}, "timestamp": stamp}
    answers = {"query-migrate": {"status": "completed"}, "query-status": {"status": "paused"}}
    if command in answers:
        return answers[command], []
    return {}, [deleted] if command == "device_del" else []


def agent(command: str, arguments: dict[str, object]) -> tuple[object, list[object]]:
    if command == "guest-exec":
        pid = len(STARTED) + 1
        name = str(arguments["path"]).rpartition("/")[2]
        typed = base64.b64decode(str(arguments.get("input-data", ""))).decode()
        STARTED[pid] = (time.monotonic(), BEHAVIOUR["programs"].get(name, [0, typed, 0]))
        return {"pid": pid}, []
    if command == "guest-exec-status":
        began_s, (code, out, seconds) = STARTED[int(str(arguments["pid"]))]
        if time.monotonic() - began_s < float(str(seconds)):
            return {"exited": False}, []
        return {"exited": True, "exitcode": code, "out-data": base64.b64encode(str(out).encode()).decode()}, []
    return {}, []


HELLO = b'{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}, "capabilities": []}}\n'

if __name__ == "__main__":
    if "--version" in sys.argv:
        print("QEMU emulator version 7.2.0")
        sys.exit(0)
    console = next(word for word in sys.argv if word.startswith("file,id=console,")).split("path=")[1].split(",")[0]
    with Path(console).open("a") as file:
        file.write("(XEN) Xen version 4.17\n@dom0 1.00 user space\n")
    memory = [word for word in sys.argv if word.startswith("memory-backend-file,")]
    if memory:
        ram = memory[0].split("mem-path=")[1].split(",")[0]
        resumed = "-incoming" in sys.argv
        (Path(sys.argv[0]).parent / "starts").open("a").write("resumed\n" if resumed else "to be saved\n")
        if resumed and BEHAVIOUR.get("spoiled"):
            sys.exit(1)
        Path(ram).touch()
    if (status := BEHAVIOUR["exit_at_start"]) is not None:
        sys.exit(status)
    threads = [threading.Thread(target=serve, args=(descriptor("monitor"), monitor, HELLO))]
    if not BEHAVIOUR["silent"]:
        threads.append(threading.Thread(target=serve, args=(descriptor("control"), agent)))
    for thread in threads:
        thread.start()
