"""``python -m benchmarks``: measures the flow beside the work it cannot avoid, and writes what it found."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import big_image, flow, host, matrix_page, mover, summary, unavoidable
from benchmarks.summary import Measurement

RESULTS = Path(__file__).parent / "results"
QUIET_LIMIT_S = 120.0


def main() -> int:
    """Exit codes: 0 measured, 3 something that was to be measured failed."""
    if sys.argv[1:2] == ["mover"]:
        return mover.main(sys.argv[2:])
    if sys.argv[1:2] == ["page"]:
        return matrix_page.main(sys.argv[2:])
    asked = _arguments()
    began_s = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began_s:6.1f} s] {line}", file=sys.stderr, flush=True)

    scratch = Path(tempfile.mkdtemp(prefix="golden-flows-bench-"))
    try:
        found = _measure(asked, scratch, say)
    except (flow.FlowFailed, subprocess.CalledProcessError, RuntimeError) as error:
        print(f"error: {error}\nwhat it left is in {scratch}", file=sys.stderr)
        return 3
    shutil.rmtree(scratch)
    page = summary.to_markdown(found)
    asked.output.mkdir(parents=True, exist_ok=True)
    stem = f"{found.date}-{asked.src}-{asked.dst}"
    (asked.output / f"{stem}.json").write_text(json.dumps(found.to_json(), indent=1) + "\n", "utf-8")
    (asked.output / f"{stem}.md").write_text(page, "utf-8")
    print(page)
    say(f"written to {asked.output / stem}.md and .json")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="repetitions (default 3)")
    parser.add_argument("--src", default="private", choices=["private"], help="source whose hardware is known here")
    parser.add_argument("--dst", default="public-lite", choices=["public-lite"], help="destination, likewise")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the result")
    parser.add_argument("--quiet-wait", type=float, default=QUIET_LIMIT_S, metavar="S", help="wait for others, at most")
    parser.add_argument("--no-memory", action="store_true", help="leave the 2 GiB image out")
    parser.add_argument("--no-profile", action="store_true", help="leave the sampled boots out")
    asked = parser.parse_args()
    if asked.repeat < 1:
        parser.error("--repeat must be at least 1")
    return asked


def _measure(asked: argparse.Namespace, scratch: Path, say: Callable[[str], None]) -> Measurement:
    golden = unavoidable.find_golden()
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    found = Measurement(date, host.describe(), (asked.src, asked.dst))
    for number in range(1, asked.repeat + 1):
        loads = {}
        loads["the bare work"] = host.wait_until_quiet(asked.quiet_wait, say)
        folder = scratch / f"work-{number}"
        folder.mkdir()
        work = unavoidable.measure(golden, folder)
        shutil.rmtree(folder)
        say(f"{number}/{asked.repeat}: unavoidable work {work.total_s:.1f} s")
        loads["the flow"] = host.load()
        told = flow.run(asked.src, asked.dst, scratch / f"flow-{number}")
        found.works.append(work)
        found.flows.append(told)
        found.loads.append(loads)
        say(f"{number}/{asked.repeat}: flow {told.cell_s:.1f} s, ratio {found.ratios[-1]:.2f}")
    if not asked.no_profile:
        folder = scratch / "profile"
        folder.mkdir()
        found.profile = unavoidable.measure(golden, folder, profile=True)
        say("boots profiled")
    if not asked.no_memory:
        found.big_image = big_image.measure(scratch / "big")
        say(f"2 GiB image moved in {found.big_image.seconds:.0f} s")
    return found


if __name__ == "__main__":
    sys.exit(main())
