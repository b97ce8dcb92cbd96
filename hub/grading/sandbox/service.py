"""The sandbox service: takes notebooks of the courses' accounts, has them executed as jobs, gives back what came out.

Run by supervisord as root, with the hub's Python; beside the hub, so that neither ends the other. Its addresses:

- ``POST /tasks?kernel=NAME&folder=NAME`` with a tar (see client.py) → 201 ``{"id": …}``
- ``GET /tasks/ID?wait=SECONDS`` → ``{"state": "waiting|queued|running|done", "note": …, "answer": …}``
- ``DELETE /tasks/ID``

It keeps nothing: when it is restarted its jobs are cancelled, and clients send theirs again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from tornado import web
from tornado.httpserver import HTTPServer

from hub import settings
from hub.backend import Backend, commands
from hub.clusters import EmbeddedCluster
from hub.grading.sandbox import box, job
from hub.grading.sandbox.access import Access
from hub.grading.sandbox.tasks import Tasks
from hub.layout import Layout
from hub.ports import Ports
from hub.running import Running
from kernels import build as kernels

#: Bytes of a notebook and its files.
MOST_BODY = 100 * 1024 * 1024
#: Tasks at a time, beyond which a client is told to wait.
MOST_TASKS = 1000
FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ +-]{0,63}")


class Handler(web.RequestHandler):
    def initialize(self, access: Access, tasks: Tasks, kernels: dict[str, dict]) -> None:
        self.access, self.tasks, self.kernels = access, tasks, kernels

    async def prepare(self) -> None:
        self.owner = await self.access.account(self.request.headers.get("Authorization", ""))
        if self.owner is None:
            raise web.HTTPError(403, reason="Only the accounts of courses may have notebooks executed")

    def write_error(self, status_code: int, **_) -> None:
        self.finish({"message": self._reason})


@web.stream_request_body
class New(Handler):
    """The body goes to disk as it comes, and only if its sender may send one."""

    place: Path | None = None

    async def prepare(self) -> None:
        await super().prepare()
        kernel, folder = self.get_query_argument("kernel"), self.get_query_argument("folder")
        if kernel not in self.kernels:
            raise web.HTTPError(400, reason=f"There is no kernel {kernel[:40]!a}; there are: {', '.join(self.kernels)}")
        if not FOLDER.fullmatch(folder):
            raise web.HTTPError(400, reason="The assignment's name cannot be a folder's")
        if len(self.tasks.known) >= MOST_TASKS:
            raise web.HTTPError(503, reason="Too many notebooks wait already")
        self.settings_of_task = self.kernels[kernel] | {"folder": folder}
        self.place = self.tasks.new_place()
        self.body = (self.place / "work.tar").open("wb")

    def data_received(self, chunk: bytes) -> None:
        self.body.write(chunk)

    def post(self) -> None:
        self.body.close()
        task = self.tasks.add(self.owner, self.place, self.settings_of_task)
        self.place = None
        self.set_status(201)
        self.finish({"id": task.id})

    def on_finish(self) -> None:
        self._clear()

    def on_connection_close(self) -> None:
        self._clear()

    def _clear(self) -> None:
        if self.place:
            self.body.close()
            shutil.rmtree(self.place, ignore_errors=True)
            self.place = None


class One(Handler):
    def task(self, name: str):
        task = self.tasks.known.get(name)
        if task is None or task.owner != self.owner:
            raise web.HTTPError(404, reason="No such task (any more)")
        task.asked = time.monotonic()
        return task

    async def get(self, name: str) -> None:
        task = self.task(name)
        wait = min(float(self.get_query_argument("wait", "0")), 30)
        if task.state != "done" and wait:
            task.changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(task.changed.wait(), wait)
        task.asked = time.monotonic()
        self.finish({"state": task.state, "note": task.note, "answer": task.answer if task.state == "done" else None})

    async def delete(self, name: str) -> None:
        await self.tasks.remove(self.task(name))
        self.set_status(204)


def kernel_settings(layout: Layout, running: Running, limits: job.Limits) -> dict[str, dict]:
    """task.json by kernel: its command, what its code may see, its environment, and its limits."""
    profile, found = running.workshop.grading.profile(running.workshop), {}
    for kernel in running.workshop.kernels:
        environment = layout.kernels / kernel.name
        python = environment / "bin/python"
        visible = [str(environment), str(running.data)]
        base = python.resolve().parent.parent  # a virtual environment's is another
        if not base.is_relative_to("/usr"):
            visible.append(str(base))
        # Also of a kernel that people run from an image: the image is made of this environment.
        found[kernel.name] = {
            "argv": [word.replace("{python}", str(python)) for word in kernels.command(kernel.name)],
            "visible": visible, "memory_mb": profile.memory, "seconds": int(profile.walltime.total_seconds()),
            "disk_mb": limits.disk_mb, "output_mb": limits.output_mb, "processes": limits.processes,
            "environment": {
                "PATH": f"{environment}/bin:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": box.HOME,
                "USER": "student", "MANDRILL_DATA": str(running.data), "NBGRADER_EXECUTION": "autograde",
                **{f"{library}_NUM_THREADS": str(profile.cpus)
                   for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA")}}}
    return found


def at_once(running: Running) -> int:
    """How many jobs are handed to the cluster. The embedded one's nodes share this machine: with more jobs than CPUs
    cells would run into their time limit for no fault of theirs."""
    return max(1, os.cpu_count() or 1) if isinstance(running.workshop.cluster, EmbeddedCluster) else 100


def application(layout: Layout, running: Running, its: Backend) -> tuple[web.Application, Tasks]:
    grading, limits = running.workshop.grading, job.Limits()
    tasks = Tasks(its.scheduler, its.hub_id, layout.sandbox, grading.account, grading.profile(running.workshop), limits,
                  layout.server_bin / "python", at_once(running))
    access = Access(f"http://127.0.0.1:{Ports(running.workshop.port).hub_api}/hub/api",
                    settings.secret(layout.hub_state, "sandbox_token"),
                    {course.account for course in running.workshop.courses})
    given = {"access": access, "tasks": tasks, "kernels": kernel_settings(layout, running, limits)}
    return web.Application([("/tasks", New, given), (r"/tasks/(t-[0-9a-f]{12})", One, given)]), tasks


async def main() -> None:
    layout = Layout(Path(os.environ["MANDRILLHUB_ROOT"]))
    running = Running.read(layout)
    its = commands(layout, running.workshop.cluster)
    settings.watch_commands_without_threads()
    app, tasks = application(layout, running, its)
    await tasks.begin()
    server = HTTPServer(app, max_body_size=MOST_BODY)
    server.listen(Ports(running.workshop.port).sandbox, its.hub_ip)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    forgetting = asyncio.create_task(tasks.forget_the_forgotten())
    await stop.wait()
    forgetting.cancel()
    server.stop()
    await tasks.remove_all()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("tornado.access").setLevel(logging.WARNING)
    os.umask(0o022)
    asyncio.run(main())
