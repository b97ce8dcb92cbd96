"""Unix accounts for the people of attendees.csv. Importing again is harmless; nothing here deletes a home."""

from __future__ import annotations

import csv
import io
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
