"""Unix accounts for the people of attendees.csv and for courses. Importing again is harmless; nothing here deletes a
home."""

from __future__ import annotations

import csv
import io
import os
import pwd
import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path

from hub.files import write_file
from hub.people import Person
from hub.problems import Problem, Problems, Stop

#: Letters and digits that nobody confuses when reading them from a slip of paper.
READABLE = "abcdefghjkmnpqrstuvwxyz23456789"
#: Below this Debian's accounts are the system's (adduser.conf, FIRST_UID).
FIRST_UID = 1000


def new_password() -> str:
    """Three groups of four, 59 bits."""
    return "-".join("".join(secrets.choice(READABLE) for _ in range(4)) for _ in range(3))


def read_passwords(path: Path) -> dict[str, str]:
    """First passwords by login: the accounts that we made on this machine."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["login"]: row["password"] for row in csv.DictReader(file)}


def _write_passwords(path: Path, passwords: dict[str, str]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("login", "password"), *sorted(passwords.items())])
    write_file(path, text.getvalue(), mode=0o600)


def check(people: list[Person], attendees: Path) -> None:
    """Refuse logins that are the system's own accounts, before anything is changed."""
    problems = []
    for person in people:
        try:
            uid = pwd.getpwnam(person.login).pw_uid
        except KeyError:
            continue
        if uid < FIRST_UID:
            problems.append(Problem(attendees, person.line, "login", f"{person.login!r} is an account of the "
                                    "system itself; expected another login"))
    if problems:
        raise Problems(problems)


def check_there(people: list[Person], attendees: Path) -> None:
    """On a cluster that is there already we make no accounts: they would be this machine's alone."""
    problems = [Problem(attendees, person.line, "login", f"{person.login!r} has no account on this machine; expected "
                        "one of the cluster's own accounts") for person in people if not _exists(person.login)]
    if problems:
        raise Problems(problems)


def apply(people: list[Person], homes: Path, passwords_file: Path,
          progress: Callable[[str], None] = lambda text: None) -> list[str]:
    """Make the accounts that are missing, unlock returners, lock the accounts of ours that left the list.

    Returns what was done, one line each; an empty list when nothing was. Accounts that were there before us
    keep their password and are never locked.
    """
    passwords = read_passwords(passwords_file)
    done: list[str] = []
    fresh: dict[str, str] = {}
    listed = {person.login for person in people}
    locked = {login for login in passwords if _exists(login) and _is_locked(login)}
    for person in people:
        if not _exists(person.login):
            progress(f"account {person.login}")
            _call("useradd", "--create-home", "--home-dir", str(homes / person.login), "--shell", "/bin/bash",
                  "--comment", person.name, "--user-group", "-K", "HOME_MODE=0700", person.login)
            fresh[person.login] = passwords.get(person.login) or new_password()
            done.append(f"made the account {person.login}")
        elif person.login in locked:
            _call("usermod", "--unlock", "--expiredate", "", person.login)
            done.append(f"opened the account {person.login} again")
    if fresh:
        # The record first: an account whose password nobody knows would be of no use.
        _write_passwords(passwords_file, passwords | fresh)
        _call("chpasswd", stdin="".join(f"{login}:{password}\n" for login, password in fresh.items()))
    for login in sorted(passwords.keys() - listed - locked):
        if _exists(login):
            _call("usermod", "--lock", "--expiredate", "1", login)
            done.append(f"locked the account {login}; its home stays")
    return done


def misfits(login: str, make: bool) -> str:
    """What is wrong with an account that is to be nobody's, in words; empty if nothing. ``make``: we make it if it is
    missing."""
    try:
        uid = pwd.getpwnam(login).pw_uid
    except KeyError:
        return "" if make else (f"{login!r} has no account on this machine; expected one of the cluster's that nobody "
                                "uses, without a password")
    return f"{login!r} is an account of the system itself; expected another" if uid < FIRST_UID else ""


def serve(login: str, purpose: str, home: Path) -> list[str]:
    """The account ``login`` that is nobody's, for ``purpose``: made if it is missing, without a password. ``home`` is
    then its own, and is never opened to others. Returns what was done."""
    done = []
    if not _exists(login):
        _call("useradd", "--no-create-home", "--home-dir", str(home), "--shell", "/bin/bash", "--comment", purpose,
              "--user-group", login)
        done.append(f"made the account {login} of the {purpose}")
    account = pwd.getpwnam(login)
    if not Path(account.pw_dir).exists() and Path(account.pw_dir) != home:
        _call("usermod", "--home", str(home), login)  # of an instance that was taken away
    if not home.exists():
        home.mkdir(mode=0o700)
        os.chown(home, account.pw_uid, account.pw_gid)
    if home.is_symlink() or home.stat().st_uid != account.pw_uid:
        raise Stop(f"{home} is not a directory of {login}'s. Move it away, then `make up` again.")
    if home.stat().st_mode & 0o7777 != 0o700:
        home.chmod(0o700)
        done.append(f"closed {home} to others")
    return done


def _exists(login: str) -> bool:
    try:
        pwd.getpwnam(login)
    except KeyError:
        return False
    return True


def _is_locked(login: str) -> bool:
    return _call("passwd", "--status", login).split()[1] == "L"


def _call(*command: str, stdin: str = "") -> str:
    result = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if result.returncode:
        raise Stop(f"{command[0]} failed for {command[-1]}: {result.stderr.strip()}")
    return result.stdout
