"""How fast the reference clouds answer, and in how much memory: wrk against their APIs. No guest is booted."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cattrs
import openstack
import psutil
from keystoneauth1.adapter import Adapter

from benchmarks import reference_cloud
from benchmarks.resident import peak_mib
from benchmarks.taking import Taking
from benchmarks.told import Bar, Chart, Figure, Table, span
from golden_flows.model.burst import DEFAULT_COUNT

TITLE = "The APIs of the reference clouds"
ABOUT = (
    "wrk on the same machine, so that it takes processor time away from the cloud that it asks: one connection "
    "for latency, sixteen for throughput. Each cloud has the golden image, its networks and as many key pairs "
    "as a burst has instances; a request lists one of them, with a token. For speed there is no aim: a suite "
    "asks a few times a second. A request that fails, or an answer that is not 2xx, makes the figure void. "
    "Memory is the kernel's peak (VmHWM) of the cloud's process."
)
CLOUDS = ("private", "public-lite", "rawstore")
CONNECTIONS = (1, 16)
SECONDS = 5
REQUESTS: Mapping[str, tuple[str, str]] = {
    "versions of Keystone": ("identity", ""),
    "images": ("image", "/images"),
    "key pairs": ("compute", "/os-keypairs"),
    "networks": ("network", "/networks"),
}
"""What is asked: the service, and the path below its endpoint."""
_WRK = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Answered:
    """What one run of wrk saw."""

    cloud: str
    request: str
    connections: int
    requests: int
    seconds: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float

    @property
    def per_s(self) -> float:
        return self.requests / self.seconds


def measure(take: Taking, *, clouds: Sequence[str] = CLOUDS) -> dict[str, Any]:
    """Clouds take turns. Raises ``RuntimeError`` where wrk is missing or a request failed."""
    if shutil.which("wrk") is None:
        raise RuntimeError("wrk is not installed (Debian package wrk)")
    wanted, seconds = (clouds[:1], 1) if take.small else (clouds, SECONDS)
    take.total = take.repeat * len(wanted)
    answers: list[Answered] = []
    peaks: dict[str, list[float]] = {name: [] for name in wanted}
    for number in range(take.repeat):
        for name in wanted:
            with reference_cloud.up(name, take.scratch / f"{name}-{number}") as cloud, take.repetition(name):
                answers += _ask(name, cloud.clouds_yaml, seconds)
                peaks[name].append(_peak_mib(cloud.launcher_pid))
    return {"answers": [cattrs.unstructure(one) for one in answers], "peaks_mib": peaks}


def _ask(name: str, clouds_yaml: Path, seconds: int) -> Iterator[Answered]:
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(clouds_yaml)
    with openstack.connect(cloud=name) as connection:
        token = connection.session.get_token() or ""
        for at in range(DEFAULT_COUNT):
            connection.compute.create_keypair(name=f"key-{at}")
        for request, (service, path) in REQUESTS.items():
            # Not the proxy's own method of that name: Keystone's has another.
            url = (Adapter.get_endpoint(getattr(connection, service)) or "").rstrip("/") + path
            for connections in CONNECTIONS:
                told = _wrk(url, token, connections, seconds)
                if told.pop("failed") or not told["requests"]:
                    raise RuntimeError(f"{name}: {request}: {url}: not every answer was 2xx")
                yield Answered(name, request, connections, **told)


def _wrk(url: str, token: str, connections: int, seconds: int) -> dict[str, Any]:
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(_WRK), url]
    environment = {**os.environ, "BENCH_TOKEN": token}
    done = subprocess.run(argv, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.rpartition("RESULT ")[2])
    return told


def _peak_mib(launcher_pid: int) -> float:
    """Of the process that serves, which is below the launcher."""
    serving = [one for one in psutil.Process(launcher_pid).children(recursive=True) if "serve" in one.cmdline()]
    return max(peak_mib(one.pid) or 0.0 for one in serving)


# -- the page


def _read(measured: Mapping[str, Any]) -> list[Answered]:
    return cattrs.structure(measured["answers"], list[Answered])


def _rows(measured: Mapping[str, Any]) -> dict[tuple[str, str, int], list[Answered]]:
    rows: dict[tuple[str, str, int], list[Answered]] = {}
    for one in _read(measured):
        rows.setdefault((one.cloud, one.request, one.connections), []).append(one)
    return rows


def figures(measured: Mapping[str, Any]) -> Iterator[Figure]:
    peaks: Mapping[str, Sequence[float]] = measured["peaks_mib"]
    told = ", ".join(f"{name} {span(values, 0)}" for name, values in peaks.items())
    yield Figure("api memory", max(max(values) for values in peaks.values()), told, min(map(len, peaks.values())))


def charts(measured: Mapping[str, Any]) -> Iterator[Chart]:
    rows = _rows(measured)
    few, many = min(CONNECTIONS), max(CONNECTIONS)
    latency = [
        Bar(request, cloud, tuple(one.p50_ms for one in found))
        for (cloud, request, connections), found in rows.items()
        if connections == few
    ]
    throughput = [
        Bar(request, cloud, tuple(one.per_s for one in found))
        for (cloud, request, connections), found in rows.items()
        if connections == many
    ]
    yield Chart(f"Latency, median, {few} connection", "ms", tuple(latency))
    yield Chart(f"Throughput, {many} connections", "requests per second", tuple(throughput))


def tables(measured: Mapping[str, Any]) -> Iterator[Table]:
    rows = [
        (
            f"{cloud}: {request}",
            str(connections),
            span([one.per_s for one in found], 0),
            span([one.p50_ms for one in found]),
            f"{statistics.median(one.p99_ms for one in found):.2f}",
            f"{max(one.max_ms for one in found):.1f}",
        )
        for (cloud, request, connections), found in _rows(measured).items()
    ]
    yield Table("Answers", ("", "connections", "requests per second", "p50, ms", "p99, ms", "slowest, ms"), rows)
    peaks: Mapping[str, Sequence[float]] = measured["peaks_mib"]
    yield Table("Peak memory under this load", ("cloud", "MiB"), [(name, span(v, 1)) for name, v in peaks.items()])
