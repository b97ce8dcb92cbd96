"""The kernel in the box, and the client that executes cells in it as nbgrader does, within limits."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import zmq.asyncio
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import v4

from hub.grading.sandbox import box, watch
from hub.grading.sandbox.driver import KERNEL, SETTINGS


class NoBox(Exception):
    """The node or the platform is at fault, not the submission."""


class Faulty(Exception):
    """The submission is at fault, before its first cell."""


class BoxedKernel(AsyncKernelManager):
    """jupyter_client's, but for interrupts: they must reach the kernel, and not the box around it."""

    async def interrupt_kernel(self) -> None:
        """To the kernel's whole group, as a terminal does. The box's own process 1 does not mind."""
        family = watch.below(self.provisioner.pid)  # bwrap outside, bwrap inside, the kernel, what it started
        if len(family) > 2:
            os.killpg(os.getpgid(family[2].pid), signal.SIGINT)


class Client(NotebookClient):
    """Executes cells; counts what comes out."""

    reason = ""

    def __init__(self, task: dict, work: dict, **options) -> None:
        cells = [v4.new_code_cell(cell["source"], metadata={"tags": cell["tags"]}) if cell["code"]
                 else v4.new_raw_cell() for cell in work["cells"]]
        settings = {name: work["execute"][name] for name in SETTINGS if name in work["execute"]}
        super().__init__(v4.new_notebook(cells=cells), **settings, **options)
        self.output_left = task["output_mb"] * box.MEGABYTE
        self.output_mb = task["output_mb"]
        self.on_cell_executed = record_error
        self.kills = watch.killed_for_memory()

    @property
    def box_pid(self) -> int:
        return self.km.provisioner.pid

    def kill(self, reason: str) -> None:
        """End the box, and all in it, at once."""
        if not self.reason:
            self.reason = reason
            self.process.kill()

    def process_message(self, msg, cell, cell_index):
        self.output_left -= len(json.dumps(msg["content"], default=str))
        if self.output_left < 0:
            self.kill(f"it printed more than {self.output_mb} MB")
            return None
        return super().process_message(msg, cell, cell_index)

    def words(self, error: Exception) -> str:
        """What ended the execution, for the person who reads the feedback."""
        if isinstance(error, CellTimeoutError):
            return f"the cell ran for more than {self.timeout} s and did not let itself be interrupted" \
                if "IOPub" in str(error) else f"the cell ran for more than {self.timeout} s"
        if isinstance(error, DeadKernelError):
            status = self.process.poll()
            if watch.killed_for_memory() > self.kills:
                return "it used more memory than there is"
            return f"its kernel ended{f' with status {status}' if status is not None else ''}"
        return f"its kernel sent what is no answer ({type(error).__name__})"

    async def end(self) -> float:
        """End the box; returns the CPU seconds of what was still in it."""
        used = sum(each.cpu_s for each in watch.below(self.box_pid))
        self.process.kill()
        self.kc.stop_channels()
        await asyncio.to_thread(self.process.wait)
        return used


def record_error(cell, cell_index, execute_reply) -> None:
    """nbgrader's Execute.on_cell_executed: a reply's error that is not among the outputs becomes one."""
    reply = execute_reply["content"]
    if reply["status"] != "error":
        return
    if not any(out.output_type == "error" and out.ename == reply["ename"] for out in cell.outputs):
        cell.outputs.append(v4.new_output(
            "error", ename=reply["ename"], evalue=reply["evalue"],
            traceback=reply["traceback"] or ["ERROR: An error occurred while showtraceback was disabled"]))


async def start_kernel(place: Path, task: dict, work: dict) -> Client:
    """The client of a kernel that answers. Raises :class:`Faulty` or :class:`NoBox`.

    Files of a submission can keep a kernel from starting, by the name of a module for instance. So one that does
    not start is tried once more without them.
    """
    try:
        return await _start(place, task, work)
    except Exception as error:
        told = _log(place) or str(error)
        home = place / box.WORK / "home" / task["folder"]
        home.rename(home.with_name(".aside"))
        home.mkdir()
        try:
            await (await _start(place, task, work)).end()
        except Exception:
            raise NoBox(f"the kernel does not start in the sandbox on this node: {told}") from None
        raise Faulty(f"with its files there the kernel does not start: {told}") from None


async def _start(place: Path, task: dict, work: dict) -> Client:
    context = zmq.asyncio.Context()
    # A larger message is not received at all: it would take the driver's memory.
    context.setsockopt(zmq.MAXMSGSIZE, (task["output_mb"] + 1) * box.MEGABYTE)
    context.setsockopt(zmq.RCVHWM, 200)
    socket = f"{place / box.RUN}/s/{time.monotonic_ns():x}"
    kernel = BoxedKernel(kernel_name=KERNEL, transport="ipc", ip=socket, connection_file=f"{socket}.json",
                         context=context)
    client = Client(task, work, km=kernel)
    with open(place / box.RUN / "log", "wb") as log:
        await kernel.start_kernel(env=task["environment"], cwd=str(place), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=log, extra_arguments=client.extra_arguments)
    client.process = kernel.provisioner.process
    try:
        await client.async_start_new_kernel_client()
    except Exception:
        client.process.kill()
        raise
    return client


def _log(place: Path) -> str:
    lines = (place / box.RUN / "log").read_bytes()[-2000:].decode(errors="replace").strip().splitlines()
    return " ".join(lines[-2:])
