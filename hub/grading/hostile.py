"""Reading what somebody else can change at any moment: a person's place in the exchange, as the course's account.

Nothing is opened by a path that could lead elsewhere: each name by the descriptor of its directory, no link followed,
and what was opened is looked at again, since it may not be what was there before. FIFOs and devices are never opened.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

#: Directories below directories.
DEPTH = 20
CHUNK = 1 << 20
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Refused(Exception):
    """Why something is not taken: one line, names quoted."""


@contextmanager
def opened(name: str, parent: int | None, owner: int | None, what: str, is_kind=stat.S_ISDIR) -> Iterator[int]:
    """A directory (or a regular file) of this owner alone. ``what`` names it in messages."""
    try:
        if not is_kind(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise Refused(f"{what} is a link or something else that is no plain file or directory")
        fd = os.open(name, READ, dir_fd=parent)
    except OSError as error:
        raise Refused(f"{what}: {error.strerror}") from None
    try:
        now = os.fstat(fd)
        if not is_kind(now.st_mode):
            raise Refused(f"{what} changed while it was read")
        if owner is not None and now.st_uid != owner:
            raise Refused(f"{what} belongs to somebody else ({login_of(now.st_uid)})")
        yield fd
    finally:
        os.close(fd)


def login_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def names(folder: int, most: int, too_many: str) -> list[str]:
    """The names in a directory, sorted; ``too_many`` is the reason if there are more, which are not even read."""
    with os.scandir(folder) as entries:
        found = [entry.name for entry in islice(entries, most + 1)]
    if len(found) > most:
        raise Refused(too_many)
    return sorted(found)


def changed_at(folder: int, name: str) -> float:
    """When an entry was last changed in any way (ctime, seconds), which nobody but the file system sets."""
    return os.stat(name, dir_fd=folder, follow_symlinks=False).st_ctime


@dataclass
class Copy:
    """One copy of a tree, of one owner's plain files and directories alone; raises Refused."""

    owner: int
    most_files: int
    most_bytes: int
    skip: Callable[[str], bool]  # by name
    changed_at: float = 0  # the latest ctime of all that was copied

    def tree(self, source: int, dest: Path, what: str = "", depth: int = 0) -> None:
        if depth > DEPTH:
            raise Refused(f"{what!r} is more than {DEPTH} directories deep")
        dest.mkdir()
        found = names(source, self.most_files, "it has too many files")
        self.most_files -= len(found)
        for name in found:
            path = f"{what}/{name}".lstrip("/")
            if self.skip(name):
                continue
            try:
                mode = os.stat(name, dir_fd=source, follow_symlinks=False).st_mode
            except OSError as error:
                raise Refused(f"{path!r}: {error.strerror}") from None
            if stat.S_ISDIR(mode):
                with opened(name, source, self.owner, repr(path)) as folder:
                    self.tree(folder, dest / name, path, depth + 1)
            else:
                with opened(name, source, self.owner, repr(path), stat.S_ISREG) as file:
                    self.file(file, dest / name, path)
        self.changed_at = max(self.changed_at, os.fstat(source).st_ctime)

    def file(self, source: int, dest: Path, what: str) -> None:
        # A sparse file is as long as it says, and may grow meanwhile.
        if os.fstat(source).st_size > self.most_bytes:
            raise Refused(f"it is too large, with {what!r}")
        with open(dest, "xb") as stream:
            while chunk := os.read(source, CHUNK):
                self.most_bytes -= len(chunk)
                if self.most_bytes < 0:
                    raise Refused(f"it is too large, with {what!r}")
                stream.write(chunk)
        self.changed_at = max(self.changed_at, os.fstat(source).st_ctime)


@contextmanager
def people_of(course: Path) -> Iterator[tuple[int, dict[str, int]]]:
    """The open directory of everybody's places, and the uid of each login there: its owner, whom root set.

    Those who left are not among them (their places are root's), nor accounts that are no more or have another name.
    """
    folder = os.open(course / "people", READ | os.O_DIRECTORY)
    try:
        owners = {name: os.stat(name, dir_fd=folder, follow_symlinks=False).st_uid for name in os.listdir(folder)}
        yield folder, {name: uid for name, uid in sorted(owners.items()) if uid and login_of(uid) == name}
    finally:
        os.close(folder)
