"""The exchange's directories, made by root: whoever owns one is who the file system says they are.

::

    EXCHANGE/                      root           0755
    EXCHANGE/COURSE/               root           0755
      outbound/                    course account 0755   what is released
      people/                      root, group of the course account, 0751: the course lists it, others pass
        LOGIN/                     LOGIN, group of the course account, 0750: nobody else gets any further
          inbound/                 LOGIN          what they submitted (their submit makes it)
          feedback/                course account 0755

Modes alone, no ACLs: they hold on NFS as well. In LOGIN/ its owner may rename and link what they please, so nothing
below it is ever followed or chowned by name: `feedback` is made elsewhere and moved there.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from hub.grading.hostile import login_of
from hub.problems import Stop

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
#: A feedback directory that is not in its place yet.
MAKING = ".feedback"


def make(exchange: Path, course: str, account: str, logins: list[str]) -> bool:
    """Make the places of a course and of its people, and mend what was changed; False if all was right.

    People who are there and not in ``logins`` keep their files and lose the place: it becomes root's until they are
    back. Raises Stop, naming what it is about: an account that is missing, a person in the course account's group, a
    symbolic link or somebody else's directory in the way, a file system where root may not change owners.
    """
    if course in ("", ".", "..") or "/" in course:
        raise Stop(f"course {course!r}: expected a name without '/'")
    owner = _account(account)
    people = {login: _account(login) for login in logins}
    for login, person in people.items():
        if owner.pw_gid in os.getgrouplist(login, person.pw_gid):
            raise Stop(f"{login} is in the group of {account}, and could read everybody's work: give the course's "
                       "account a group of its own (usermod --gid)")
    exchange.parent.mkdir(parents=True, exist_ok=True)
    changed = False
    with contextlib.ExitStack() as stack:
        def folder(*about, **owners) -> int:
            nonlocal changed
            fd, new = stack.enter_context(_folder(*about, **owners))
            changed |= new
            return fd

        top = folder(None, exchange, 0o755)
        place = folder(top, exchange / course, 0o755)
        folder(place, exchange / course / "outbound", 0o755, owner.pw_uid, owner.pw_gid, was=(0,))
        everyone = folder(place, exchange / course / "people", 0o751, gid=owner.pw_gid)
        for login, person in people.items():
            path = exchange / course / "people" / login
            with _folder(everyone, path, 0o750, person.pw_uid, owner.pw_gid, was=(0,)) as (fd, new):
                changed |= new
                changed |= _feedback(everyone, fd, path, owner)
        for login in sorted(set(os.listdir(everyone)) - people.keys() - {MAKING}):
            changed |= _close(everyone, login)
    return changed


def _account(login: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(login)
    except KeyError:
        raise Stop(f"{login} has no account on this machine, and so no place in the exchange") from None


@contextlib.contextmanager
def _folder(parent: int | None, path: Path, mode: int, uid: int = 0, gid: int = 0,
            was: tuple[int, ...] = ()) -> Iterator[tuple[int, bool]]:
    """A directory that is ours to set up, open, and whether anything changed. ``was``: further owners that are fine,
    as of a place that was closed or of a run that was cut short."""
    new, name = False, path if parent is None else path.name
    try:
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
            new = True
        except FileExistsError:
            pass
        fd = os.open(name, FOLDER, dir_fd=parent)
    except OSError as error:
        raise Stop(f"{path}: {error.strerror}; expected a directory (no link), or nothing. Move it away, then run "
                   "this again") from None
    try:
        now = os.fstat(fd)
        if not new and now.st_uid != uid and now.st_uid not in was:
            raise Stop(f"{path} belongs to {login_of(now.st_uid)}, expected {login_of(uid)}. Move it away, then run "
                       "this again")
        try:
            if (now.st_uid, now.st_gid) != (uid, gid):
                os.fchown(fd, uid, gid)
                new = True
            if stat.S_IMODE(os.fstat(fd).st_mode) != mode:
                os.fchmod(fd, mode)
                new = True
        except OSError as error:
            raise Stop(f"{path}: root may not set its owner and mode here ({error.strerror}; NFS with root_squash?). "
                       "Run this where root may, such as on the file server") from None
        yield fd, new
    finally:
        os.close(fd)


def _feedback(everyone: int, person: int, path: Path, owner: pwd.struct_passwd) -> bool:
    """The course's directory inside a person's. Whatever else has its name is moved aside, unopened."""
    with contextlib.suppress(FileNotFoundError):
        there = os.stat("feedback", dir_fd=person, follow_symlinks=False)
        if stat.S_ISDIR(there.st_mode) and there.st_uid == owner.pw_uid:
            return False
        os.rename("feedback", f"feedback.replaced-{time.time_ns()}", src_dir_fd=person, dst_dir_fd=person)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(MAKING, dir_fd=everyone)
    with _folder(everyone, path.with_name(MAKING), 0o755, owner.pw_uid, owner.pw_gid):
        try:
            os.rename(MAKING, "feedback", src_dir_fd=everyone, dst_dir_fd=person)
        except OSError:  # somebody keeps putting something there: they alone go without, and release_feedback says so
            os.rmdir(MAKING, dir_fd=everyone)
    return True


def _close(everyone: int, login: str) -> bool:
    """Take the place of somebody who left the course: root's own, as nobody can take it back from."""
    try:
        fd = os.open(login, FOLDER, dir_fd=everyone)
    except OSError:
        return False
    try:
        now = os.fstat(fd)
        if now.st_uid:
            os.fchown(fd, 0, now.st_gid)
        return bool(now.st_uid)
    finally:
        os.close(fd)
