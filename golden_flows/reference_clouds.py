"""Starts reference clouds beside a run. They are ordinary clouds to the suite: it meets them only on the wire.

The players live under ``fixtures/`` and share no code with the referee; this module knows nothing of them but the
command line ``python -m refclouds up NAME``, its ready line on stdout and its progress lines on stderr.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from golden_flows.errors import CloudError, UsageError, shorten
from golden_flows.interrupts import uninterrupted
from golden_flows.model.discovery import FlavorFound, NetworkFound, SubnetFound

START_TIMEOUT_S = 600.0
"""Generous: the first start downloads Debian packages and builds the golden image."""
STOP_TIMEOUT_S = 15.0


def program(*arguments: str) -> list[str]:
    """The command line of the reference clouds, in this same Python."""
    return [sys.executable, "-m", "refclouds", *arguments]


@dataclass(frozen=True)
class Offer:
    """A reference cloud that can be started here, as it describes itself."""

    name: str
    title: str = ""
    hypervisor: str = ""
    machine: str = ""
    image_format: str = ""
    channels: tuple[str, ...] = ()
    auth: tuple[str, ...] = ()
    memory_mib: int = 0
    """What it takes of this machine with up to two guests."""
    guest_mib: int = 0
    """What each further guest adds."""
    guests_max: int = 8
    """How many guests it runs at once."""
    guests_mib_max: int = 2048
    """Memory of all guests together."""
    boots_at_once: int = 0
    """How many guests boot at the same time; 0: as many as this machine has processors."""
    starts_from_template: bool = False
    """Whether of many guests of one image only the first boots."""
    quota: Mapping[str, int] = field(default_factory=dict)
    """What a project may have: instances, cores, ram_mib; -1 is no limit."""
    smaller: str = ""
    """What to take instead where it does not fit; may be empty."""
    not_in_all: str = ""
    """Why ``all`` does not mean it; empty where it does."""
    networks: tuple[NetworkFound, ...] = ()
    floating: str = ""
    """CIDR of its floating IPs, and the network that they come from; empty: none."""
    flavors: tuple[FlavorFound, ...] = ()
    interop: Mapping[str, Any] = field(default_factory=dict)
    """What its clouds.yaml entry will say under ``interop:``."""
    trouble: str = ""
    """Why its profile cannot be read; everything else is unknown then."""
    remedy: str = ""

    def memory_with(self, guests: int) -> int:
        """MiB that it takes of this machine with that many guests."""
        return self.memory_mib + max(0, guests - 2) * self.guest_mib


def known_profiles() -> dict[str, Offer]:
    """Every reference cloud by name. Empty when they are not installed."""
    try:
        listing = subprocess.run(program("list", "--json"), capture_output=True, text=True, timeout=60, check=True)
        offers = [_offer(one) for one in json.loads(listing.stdout)]
    except (subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return {}
    return {one.name: one for one in offers}


def _offer(listed: Mapping[str, Any]) -> Offer:
    if "error" in listed:
        return Offer(listed["name"], trouble=listed["error"], remedy=listed.get("remedy", ""))
    return Offer(
        name=listed["name"],
        title=listed["title"],
        hypervisor=listed["hypervisor"],
        machine=listed["machine"],
        image_format=listed["image_format"],
        channels=tuple(listed["channels"]),
        auth=tuple(listed["auth"]),
        memory_mib=int(listed["memory_mib"]),
        guest_mib=int(listed["guest_mib"]),
        guests_max=int(listed["guests_max"]),
        guests_mib_max=int(listed["guests_mib_max"]),
        boots_at_once=int(listed["boots_at_once"]),
        starts_from_template=bool(listed["starts_from_template"]),
        quota=listed["quota"],
        smaller=listed["smaller"],
        not_in_all=listed["not_in_all"],
        networks=tuple(_network(one) for one in listed["networks"]),
        floating="{cidr} from {network}".format(**listed["floating"]) if listed["floating"] else "",
        flavors=tuple(FlavorFound(**one) for one in listed["flavors"]),
        interop=listed["interop"],
    )


def _network(listed: Mapping[str, Any]) -> NetworkFound:
    subnets = tuple(SubnetFound(**{**one, "gateway": one["gateway"] or None}) for one in listed["subnets"])
    return NetworkFound(name=listed["name"], mtu=listed["mtu"], subnets=subnets)


@dataclass(frozen=True)
class Told:
    """What one reference cloud is told to be."""

    faults: tuple[str, ...] = ()
    """Its arguments of ``--fault``."""
    variants: tuple[str, ...] = ()
    """Its arguments of ``--variant``: benign."""

    def arguments(self) -> list[str]:
        return [
            *(word for one in self.faults for word in ("--fault", one)),
            *(word for one in self.variants for word in ("--variant", one)),
        ]


NOTHING: Final = Told()


def check(name: str, told: Told, install: bool, image: str | None = None) -> None:
    """Ask whether this cloud could be started like this. Raises ``UsageError`` when it must be asked for otherwise."""
    arguments = ["check", name, *(["--install"] if install else []), *(["--image", image] if image else [])]
    arguments += told.arguments()
    asked = subprocess.run(program(*arguments), capture_output=True, text=True, timeout=60, check=False)
    if asked.returncode:
        raise start_error(name, asked.returncode, asked.stderr.splitlines())


@dataclass
class ReferenceCloud:
    """A reference cloud that this run started and that ends with it."""

    name: str
    process: subprocess.Popen[str]
    clouds_yaml: Path = Path()
    """Known once it is ready; as is ``evidence``."""
    evidence: str = ""
    tail: list[str] = field(default_factory=list)
    """The last lines of its standard error."""

    def ask_to_stop(self) -> None:
        """End of its input is the polite request; it also comes when this process dies."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()

    def stop(self) -> None:
        """End it and wait until nothing of it is left."""
        self.ask_to_stop()
        for insist in (self.process.terminate, self.process.kill, None):
            try:
                self.process.wait(STOP_TIMEOUT_S)
                return
            except subprocess.TimeoutExpired:
                if insist:
                    insist()


def stop_all(clouds: Iterable[ReferenceCloud]) -> None:
    """End them side by side. A signal meanwhile changes nothing: it is bounded, and what must happen anyway."""
    with uninterrupted():
        ending = list(clouds)
        for cloud in ending:
            cloud.ask_to_stop()
        for cloud in ending:
            cloud.stop()


def start(
    name: str,
    *,
    state: Path,
    told: Told = NOTHING,
    install: bool = False,
    image: str | None = None,
    say: Callable[[str], None],
    spawned: Callable[[ReferenceCloud], None] = lambda cloud: None,
) -> ReferenceCloud:
    """Start this cloud and wait until it is ready.

    ``install`` lets it install missing programs by sudo; ``image`` is what
    Anne starts from, which some build only when it is asked for; ``say`` gets its progress lines; ``spawned`` gets the
    cloud as soon as it is a process, for whoever may have to end the wait.
    Raises ``UsageError`` (missing program, unknown fault) or ``CloudError`` when it cannot start; then it is gone.
    """
    cloud = _spawn(name, state, told, install, image)
    try:
        spawned(cloud)
        _wait_until_ready(cloud, say)
    except BaseException:
        stop_all([cloud])
        raise
    return cloud


def _spawn(name: str, state: Path, told: Told, install: bool, image: str | None) -> ReferenceCloud:
    arguments = ["up", name, "--state-dir", str(state), "--until-eof", *(["--install"] if install else [])]
    arguments += ["--image", image] if image else []
    arguments += told.arguments()
    process = subprocess.Popen(
        program(*arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C is for the run: it stops its clouds after it has cleaned up on them
    )
    return ReferenceCloud(name, process)


def _wait_until_ready(cloud: ReferenceCloud, say: Callable[[str], None], limit_s: float = START_TIMEOUT_S) -> None:
    process = cloud.process
    watch = threading.Thread(target=_relay, args=(process, cloud.tail, say), daemon=True)
    watch.start()

    def give_up() -> None:
        cloud.tail.append(f"error: it was not ready within {limit_s:.0f} s")
        cloud.stop()

    timer = threading.Timer(limit_s, give_up)
    timer.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
    finally:
        timer.cancel()
    if not line:
        code = process.wait()
        watch.join(5)
        raise start_error(cloud.name, code, cloud.tail)
    ready: dict[str, Any] = json.loads(line)
    cloud.clouds_yaml, cloud.evidence = Path(ready["clouds_yaml"]), str(ready.get("evidence", ""))


def _relay(process: subprocess.Popen[str], tail: list[str], say: Callable[[str], None]) -> None:
    for line in process.stderr or ():
        tail.append(line.rstrip())
        del tail[:-40]
        _, bracket, told = line.partition("] ")  # "[  1.2 s] private: ready"; the run has a clock of its own
        if bracket and line.startswith("["):
            say(told.rstrip())


def start_error(name: str, code: int, tail: Sequence[str]) -> Exception:
    """The error a cloud's start deserves, in its own words."""
    what = next((one.removeprefix("error: ") for one in tail if one.startswith("error: ")), "")
    remedy = next((one.removeprefix("remedy: ") for one in tail if one.startswith("remedy: ")), "")
    what = what or f"it ended with code {code}: {shorten(' / '.join(tail[-6:]))}"
    kind = UsageError if code == 2 else CloudError
    return kind(f"reference cloud {name!r} did not start: {what}", remedy)
