"""One measurement: bring an arm up, have everybody press Start, count, and take all of it away again."""

from __future__ import annotations

import asyncio
import re
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.start import counting
from tests.benchmarks.start.floor import Floor
from tests.benchmarks.start.instance import Bench
from tests.benchmarks.start.people import Person, arrivals, class_of, leave

REPOSITORY = Path(__file__).parents[3]
#: Configuration of each arm's hub, and what the start page sends (None: it has no form).
HUBS = {"ours": ("hub_ours.py", {"profile": "small"}), "stock": ("hub_stock.py", None)}
IDLE_S = 120


def starts(bench: Bench, arm: str, count: int, servers: str, idle: bool = False) -> tuple[dict, dict | None]:
    """The row of ``count`` people pressing Start, and with ``idle`` that of their servers running untouched.

    ``servers``: "stub" or "jupyterlab".
    """
    try:
        if arm == "floor":
            bench.up(None)
            return asyncio.run(_floor(bench, count)), None
        config, form = HUBS[arm]
        command, path = ([], "") if servers == "jupyterlab" else (bench.stub_command, "")
        if arm == "stock" and servers == "jupyterlab":
            command, path = [], f"{stock_environment(bench)}:/usr/local/bin:/usr/bin:/bin"
        bench.up(bench.hub(config, command, path))
        return asyncio.run(_hub(bench, arm, form, count, servers, idle))
    finally:
        bench.down()


async def _hub(bench: Bench, arm: str, form: dict | None, count: int, servers: str,
               idle: bool) -> tuple[dict, dict | None]:
    everybody = class_of([*bench.people[:count], bench.people[-1]], bench.address)
    *people, first = everybody
    try:
        for person in everybody:
            await person.log_in(bench.password)
        # No arm is charged for what it does once.
        begin = time.time()
        await first.press_start(form)
        assert not first.saw, f"{arm}: not even one server starts: {first.saw}{_last_words(bench, first, begin)}"
        _, spent = await _counted(bench, count, lambda index: people[index].press_start(form))
        seconds = [person.seconds for person in people if person.seconds is not None]
        saw = Counter(person.saw + _last_words(bench, person, begin) for person in people if person.saw)
        row = _row(arm, servers, count, seconds, saw, spent)
        for person in people:
            assert person.saw or await person.visit(), f"{arm}: the server of {person.login} does not answer"
        if servers == "jupyterlab":
            await asyncio.sleep(3)
            row["memory_mb"] = counting.memory_of([person.login for person in people]) / count
        if not idle:
            return row, None
        return row, await _idle(bench, arm, form, people)
    finally:
        await leave(everybody)


def _last_words(bench: Bench, person: Person, since: float) -> str:
    """What the job of a start that failed wrote last, numbers aside: the same for many, one hopes. Who was refused at
    once has had no job ``since``, but perhaps one of an earlier measurement."""
    logs = sorted((log for log in (bench.layout.homes / person.login).glob("*.log") if log.stat().st_mtime > since),
                  key=lambda log: log.stat().st_mtime)
    lines = logs[-1].read_text(errors="replace").split("\n") if logs else []
    return "".join(f" (job: {re.sub('[0-9]+', 'N', line[:120])})" for line in [line for line in lines if line][-1:])


async def _idle(bench: Bench, arm: str, form: dict | None, people: list[Person]) -> dict:
    """Two minutes in which nobody does anything. Who was refused has pressed again."""
    for person in people:
        if person.saw:
            await person.press_start(form)
            assert not person.saw, f"{arm}: {person.login} was refused again: {person.saw}"
    await asyncio.sleep(5)
    before = counting.read(bench.layout, bench.supervisor)
    await asyncio.sleep(IDLE_S)
    spent = counting.read(bench.layout, bench.supervisor) - before
    return {"arm": arm, "running": len(people), "seconds": IDLE_S, **asdict(spent)}


async def _floor(bench: Bench, count: int) -> dict:
    async with Floor(bench) as floor:
        await floor.start(bench.people[-1])
        seconds, spent = await _counted(bench, count, lambda index: floor.start(bench.people[index]))
    return _row("floor", "stub", count, seconds, Counter(), spent)


async def _counted(bench: Bench, count: int,
                   start: Callable[[int], Awaitable]) -> tuple[list, counting.Counters]:
    """Everybody starts within a second; what they return, and what it has cost when the last is done."""
    async def at(index: int, moment: float):
        await asyncio.sleep(moment)
        return await start(index)

    await asyncio.sleep(2)
    before = counting.read(bench.layout, bench.supervisor)
    found = await asyncio.gather(*(at(index, moment) for index, moment in enumerate(arrivals(count))))
    return found, counting.read(bench.layout, bench.supervisor) - before


def _row(arm: str, servers: str, count: int, seconds: list[float], saw: Counter,
         spent: counting.Counters) -> dict:
    ready = sorted(seconds) or [float("nan")]
    return {"servers": servers, "people": count, "arm": arm, "failures": count - len(seconds),
            "saw": "; ".join(f"{times} × {text}" for text, times in saw.most_common(3)),
            "ready_median_s": statistics.median(ready), "ready_p95_s": ready[int(0.95 * (len(ready) - 1))],
            "ready_max_s": ready[-1], **asdict(spent), "memory_mb": ""}


def stock_environment(bench: Bench) -> Path:
    """The programs of jupyterlab + nbgrader + batchspawner as they install themselves, in the versions of ours."""
    place, uv = bench.layout.opt / "bench-stock", bench.layout.opt / "uv/bin/uv"
    lists = REPOSITORY / "hub/environments"
    stamp = place / ".complete"
    want = (lists / "server.lock").read_text()
    if not stamp.exists() or stamp.read_text() != want:
        version = re.search(r"^batchspawner==\S+", (lists / "hub.in").read_text(), re.MULTILINE)[0]
        for command in (["venv", "--clear", "--python", "/usr/bin/python3", place],
                        ["pip", "install", "--python", place / "bin/python", "--compile-bytecode", version,
                         "--requirements", lists / "server.in", "--constraints", lists / "server.lock"]):
            subprocess.run([uv, "--quiet", *command], check=True)
        stamp.write_text(want)
    return place / "bin"
