"""What the machine needs to start the same jobs with no hub at all: sbatch as each person, and nothing else."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import time

from tests.benchmarks.start.instance import Bench

SCRIPT = """#!/bin/bash
#SBATCH --partition=cpu
#SBATCH --cpus-per-task=1
#SBATCH --mem=512M
#SBATCH --time=30
#SBATCH --output=.floor.log
exec {command}
"""


class Floor:
    """Submits, and takes the stubs' reports in the hub's place."""

    def __init__(self, bench: Bench) -> None:
        self.script = SCRIPT.format(command=" ".join(bench.stub_command)).encode()
        self.environment = {"PATH": os.environ["PATH"], "SLURM_CONF": str(bench.layout.slurm_conf)}
        self.reported: dict[str, asyncio.Event] = {}

    async def __aenter__(self) -> Floor:
        self.server = await asyncio.start_server(self._take_report, "127.0.0.1", 0, backlog=512)
        port = self.server.sockets[0].getsockname()[1]
        self.environment["JUPYTERHUB_API_URL"] = f"http://127.0.0.1:{port}/hub/api"
        return self

    async def __aexit__(self, *_) -> None:
        self.server.close()

    async def start(self, login: str) -> float:
        """Seconds from submitting until this person's stub listens."""
        begin = time.monotonic()
        self.reported[login] = asyncio.Event()
        account = pwd.getpwnam(login)
        pipe = asyncio.subprocess.PIPE
        sbatch = await asyncio.create_subprocess_exec(
            "sbatch", "--parsable", stdin=pipe, stdout=pipe, cwd=account.pw_dir, user=account.pw_uid,
            group=account.pw_gid, extra_groups=[], env=self.environment | {"JUPYTERHUB_API_TOKEN": login})
        await sbatch.communicate(self.script)
        await asyncio.wait_for(self.reported[login].wait(), 300)
        return time.monotonic() - begin

    async def _take_report(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.reported[re.search(rb"token (\S+)", head)[1].decode()].set()
        writer.write(b"HTTP/1.0 201 Created\r\n\r\n")
        await writer.drain()
        writer.close()
