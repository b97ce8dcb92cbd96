"""The job: executes the cells of one notebook in a kernel in the box, and writes what came out, cell by cell.

Run as ``python -m hub.grading.sandbox.driver PLACE`` by the notebook server's Python, in the outer box of box.py.
``PLACE`` holds task.json (of the service) and work.tar (of nbgrader's process, see client.py); result.json is written
there. Cells are executed as nbgrader's Execute does (nbgrader/preprocessors/execute.py), so that grades are equal;
where that gives a submission up altogether, here the cells after the fault count as not executed.

Start-up is paid for by every submission: nbgrader, which would cost two CPU seconds, is not imported.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import tarfile
import time
from pathlib import Path, PurePosixPath

from hub.grading.sandbox import box, watch

#: Seconds before the end of the job's walltime: time to write down what there is.
MARGIN_S = 15
#: The name of the kernelspec that we write, beside any of the machine.
KERNEL = "boxed"
#: Of nbgrader's Execute, that are followed here: nbclient's.
SETTINGS = ("timeout", "interrupt_on_timeout", "allow_errors", "raise_on_iopub_timeout", "iopub_timeout",
            "startup_timeout", "error_on_timeout", "extra_arguments", "skip_cells_with_tag", "coalesce_streams")


def main(place: Path) -> None:
    begin = time.monotonic()
    task = json.loads((place / "task.json").read_text())
    work = unpack(place / "work.tar", place / box.WORK / "home" / task["folder"])
    write_kernelspec(place, task)
    result = asyncio.run(run(place, task, work, begin + task["seconds"] - MARGIN_S))
    own = resource.getrusage(resource.RUSAGE_SELF)
    result["cpu_s"] = round(result.get("cpu_s", 0) + own.ru_utime + own.ru_stime, 2)
    result["wall_s"] = round(time.monotonic() - begin, 2)
    draft = place / "result.new"
    draft.write_text(json.dumps(result))
    draft.rename(place / "result.json")


def unpack(file: Path, folder: Path) -> dict:
    """Lay the submission's files into the work directory; returns what is to be executed.

    Of a name only what stays in the folder counts, and only plain files: the box has no room for tricks.
    """
    folder.mkdir(parents=True)
    with tarfile.open(file) as tar:
        for member in tar:
            if member.name == "work.json":
                work = json.load(tar.extractfile(member))
                continue
            path = PurePosixPath(member.name.removeprefix("files/"))
            if not member.isfile() or path.is_absolute() or ".." in path.parts:
                continue
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(tar.extractfile(member).read())
            target.chmod(member.mode & 0o777 | 0o600)
    return work


def write_kernelspec(place: Path, task: dict) -> None:
    """The kernel's own command behind that of the box, as a kernelspec: the rest is jupyter_client's."""
    run = place / box.RUN
    box.write_accounts(run)
    (run / "s").mkdir(mode=0o700)
    argv = [*box.inner(place, task["visible"], task["folder"], task["disk_mb"], task["processes"]), *task["argv"]]
    spec = run / "jupyter/kernels" / KERNEL
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": KERNEL, "language": "python"}))
    os.environ["JUPYTER_PATH"] = str(run / "jupyter")


async def run(place: Path, task: dict, work: dict, deadline: float) -> dict:
    """Execute all cells; ``deadline`` is by time.monotonic()."""
    from hub.grading.sandbox.kernel import Faulty, NoBox, start_kernel

    reason, cells = "", {}
    try:
        client = await start_kernel(place, task, work)
    except Faulty as fault:
        return {"cells": {}, "reason": str(fault)}
    except NoBox as fault:
        return {"failed": str(fault)}
    watching = asyncio.create_task(watch.watch(client, task["memory_mb"], task["processes"]))
    try:
        for index, cell in enumerate(client.nb.cells):
            if cell.cell_type != "code" or not cell.source.strip():
                continue
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await client.async_execute_cell(cell, index, store_history=True)
            except Exception as error:
                over = time.monotonic() >= deadline
                reason = "the time of the whole notebook was over" if over else client.words(error)
            # Also when a later cell of the same display changed an earlier one's output: all are written at the end.
            cells[index] = cell
            if reason or client.reason:
                reason = client.reason or reason
                cells[index].setdefault("outputs", [])
                break
    finally:
        watching.cancel()
        used = await client.end()
    return {"cpu_s": used, "reason": reason, "faulty": index if reason else None, "cells": {
        key: {"outputs": cell.outputs, "execution_count": cell.get("execution_count")} for key, cell in cells.items()}}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
