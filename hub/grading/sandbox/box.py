"""Two boxes, one in the other, made by bubblewrap (bwrap(1)) without any privilege.

The outer one holds the driver: the node as it is, but with processes of its own, and below the task's directory room
for sockets and for work, both limited in size and gone with the job. The inner one holds the kernel with the submitted
code: no network, the system's programs, the kernel's environment, the photos, and that room for work. Nothing else
exists in there.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path

BWRAP = "/usr/bin/bwrap"
#: In the task's directory, within the outer box: sockets between driver and kernel and the like; what the kernel's
#: code may write. Not below /tmp: everything else must be seen in the outer box, wherever it lies.
RUN, WORK = "run", "run/work"
#: In the inner box.
HOME = "/home/student"
#: Of /etc, what programs cannot do without. No accounts, no configuration of the cluster.
ETC = ("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "timezone")
MEGABYTE = 1024 * 1024


def outer(place: Path, disk_mb: int, command: Iterable[str]) -> str:
    """A shell line that becomes ``command`` in the outer box, with ``disk_mb`` MB for what submitted code writes.

    ``place``: the task's directory, which has a directory ``RUN``.
    """
    run, work = str(place / RUN), str(place / WORK)
    return shlex.join([
        BWRAP, "--dev-bind", "/", "/", "--unshare-user", "--unshare-pid", "--proc", "/proc", "--die-with-parent",
        "--size", str(16 * MEGABYTE), "--tmpfs", run,
        "--size", str(disk_mb * MEGABYTE), "--tmpfs", work, "--dir", f"{work}/home", "--dir", f"{work}/tmp",
        "--", *command])


def inner(place: Path, visible: Iterable[str], folder: str, disk_mb: int, processes: int) -> list[str]:
    """What to put before a kernel's command. ``visible``: directories that the code may read.

    ``folder``: where it starts, seen from its home. ``processes``: how many, threads included, it may have.
    """
    run, work = place / RUN, place / WORK
    words = [BWRAP, "--unshare-all", "--unshare-user", "--disable-userns", "--new-session", "--die-with-parent",
             "--hostname", "sandbox", "--proc", "/proc", "--dev", "/dev",
             "--size", str(disk_mb * MEGABYTE), "--tmpfs", "/dev/shm", "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib32", "lib64", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for name in ETC:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for name in ("passwd", "group"):
        words += ["--ro-bind", str(run / name), f"/etc/{name}"]
    for path in visible:
        words += ["--ro-bind", path, path]
    return [*words, "--bind", str(work / "tmp"), "/tmp", "--bind", str(work / "home"), HOME,
            "--bind", str(run / "s"), str(run / "s"), "--remount-ro", "/dev", "--remount-ro", "/",
            "--chdir", f"{HOME}/{folder}",
            # jupyter_client tells the kernel its parent, which it cannot see: it would think that it died.
            "--unsetenv", "JPY_PARENT_PID",
            # Below the box, so that they count there and not with the account's other jobs on the node.
            "/usr/bin/prlimit", f"--nproc={processes}", "--core=0", "--"]


def write_accounts(place: Path) -> None:
    """The two lines that programs ask for: who am I."""
    uid, gid = os.getuid(), os.getgid()
    (place / "passwd").write_text(f"student:x:{uid}:{gid}::{HOME}:/bin/bash\n")
    (place / "group").write_text(f"student:x:{gid}:\n")
