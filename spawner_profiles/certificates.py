"""The key and certificates of a server where the hub speaks TLS to it (JupyterHub's ``internal_ssl``)."""

from __future__ import annotations

import pwd
from pathlib import Path

from spawner_profiles.problems import SpawnProblem
from spawner_profiles.scheduler import as_account, run_command
from spawner_profiles.words import _

#: In the home, which all nodes see; for nobody but the user.
FOLDER = ".mandrillhub/ssl"
#: Run as the user: $1 is the file. Never half a file, and nothing that was there before keeps its mode.
WRITE = f"""umask 077 && mkdir -p {FOLDER} && chmod 700 .mandrillhub {FOLDER} && cd {FOLDER} || exit
cat >"$1.new" && mv -f "$1.new" "$1\""""


async def give(user: str, paths: dict[str, str]) -> dict[str, str]:
    """Copy a server's files, which the hub alone can read, to where the user's job reads them; returns the new paths.

    Written by the user's own account: as root one would follow whatever links a person has put into their home.
    JupyterHub's own way for local servers does, and then gives away what it finds there.
    """
    account = pwd.getpwnam(user)
    given = {}
    for name, path in paths.items():
        code, _out, err = await run_command(
            *as_account(account), "sh", "-c", WRITE, "sh", name, stdin=Path(path).read_text(), cwd=account.pw_dir,
            env={"PATH": "/usr/bin:/bin"})
        if code:
            raise SpawnProblem(_("The server's key could not be written to {folder}: {why}").format(
                folder=f"~/{FOLDER}", why=err.strip()), reason="no-key", status_code=500)
        given[name] = f"{account.pw_dir}/{FOLDER}/{name}"
    return given
