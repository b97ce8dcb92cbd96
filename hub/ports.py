"""Every port of an instance, derived from the one that people open, and what to say when one is taken."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.problems import Stop

RESERVED = 40  # the public port and the next 40 are ours: workshop.yml promises it
LISTEN = "0A"  # state of a listening socket in /proc/net/tcp (include/net/tcp_states.h)


@dataclass(frozen=True)
class Ports:
    """The ports of the instance whose address people open on ``public``."""

    public: int

    @property
    def proxy_api(self) -> int:
        return self.public + 1

    @property
    def hub_api(self) -> int:
        return self.public + 2

    @property
    def sandbox(self) -> int:
        """Of the service that has submitted notebooks executed."""
        return self.public + 3

    @property
    def slurmctld(self) -> int:
        return self.public + 10

    def slurmd_cpu(self, index: int) -> int:
        """Port of the CPU node with this index, 0 to 15."""
        return self._slurmd(index, first=11, most=16, what="CPU nodes: lower cluster.cpu_nodes")

    def slurmd_gpu(self, index: int) -> int:
        """Port of the GPU node with this index, 0 to 13: another CPU node does not move it."""
        return self._slurmd(index, first=27, most=14, what="GPU nodes: list fewer cluster.gpu_nodes")

    def _slurmd(self, index: int, first: int, most: int, what: str) -> int:
        if index >= most:
            raise Stop(f"The embedded cluster has ports for {most} {what} in workshop.yml.")
        return self.public + first + index


def check_free(ports: Mapping[str, tuple[str, int]], mine: Collection[int] = ()) -> None:
    """Raise Stop unless each of ``ports`` (what for: address, port) can be listened on.

    ``mine`` are pids of daemons of this instance: a port that one of them holds is as it should be.
    Every port in trouble is named, with the process that holds it where /proc tells.
    """
    troubles = []
    for name, (address, port) in ports.items():
        if error := _cannot_listen(address, port):
            if error.errno == errno.EADDRINUSE:
                holders = listeners(port)
                if any(pid in mine for pid, _ in holders):
                    continue
                who = ", ".join(f"process {pid} ({command})" for pid, command in holders)
                troubles.append(f"Port {port} on {address} is taken: {name} needs it, and "
                                f"{who or 'a process that /proc does not show'} holds it.")
            else:
                troubles.append(f"{name} cannot listen on {address}, port {port}: {error.strerror}. "
                                "Is `listen:` in workshop.yml an address of this machine?")
    if troubles:
        public = min(port for _, port in ports.values())
        other = public + 1000 if public + 1000 <= 65000 else public - 1000
        raise Stop("\n".join(troubles) + "\nNext: stop what holds it, or choose another port: `port:` in "
                   f"workshop.yml, or `make up PORT={other}` (that port and the next {RESERVED} are used).")


def _cannot_listen(address: str, port: int) -> OSError | None:
    """Try, and tell what went wrong. SO_REUSEADDR: connections that are just closing do not count."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            return error
    return None


def listening(port: int) -> bool:
    """Is anything of this machine listening on the TCP port? Read from /proc: nothing is connected to."""
    return any(True for _ in _listening_inodes(port))


def listeners(port: int) -> list[tuple[int, str]]:
    """(pid, command) of the processes that listen on the TCP port; needs root to see other people's."""
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    found = []
    for process in Path("/proc").iterdir() if wanted else ():
        if not process.name.isdigit():
            continue
        try:
            if any(_target(entry.path) in wanted for entry in os.scandir(process / "fd")):
                found.append((int(process.name), (process / "comm").read_text().strip()))
        except OSError:  # it ended meanwhile, or is not ours to see
            continue
    return sorted(found)


def _listening_inodes(port: int) -> Iterator[str]:
    """Inodes of the listening sockets, from /proc/net/tcp and tcp6 (format: proc(5))."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:  # a kernel without IPv6
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
                yield fields[9]


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""
