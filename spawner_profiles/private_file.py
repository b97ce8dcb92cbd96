"""What a job may know and nobody else: a file in the person's home that only they can read.

A scheduler keeps scripts and environments where we can't say who reads them: Slurm spools both and may write them to
its accounting database, OAR shows a job's command to everyone. So tokens travel in a file that the job reads, and
deletes, when it starts. Root may have no right to enter homes (NFS): all is done as the person, the ``cd`` too.
"""

from __future__ import annotations

import pwd
import re
import shlex

from spawner_profiles.scheduler import as_account, run_command
from spawner_profiles.words import _

#: In a home. Also how our jobs are told from all others where jobs are files (OAR).
FOLDER = ".mandrillhub"
#: Run as the person, with HOME set: writes ``$MANDRILLHUB_PRIVATE`` to the file $1, seen from the home, and becomes the
#: command that follows. The shell does it all by itself, so this costs no process more than the command alone.
#: noclobber: never into a file, or through a link, that somebody has laid there.
WRITE_AND_RUN = f"""umask 077; set -C; cd || exit
[ -d {FOLDER} ] || mkdir -m 700 {FOLDER} || exit
if [ ! -O {FOLDER} ]; then echo "~/{FOLDER} belongs to somebody else; remove it" >&2; exit 1; fi
printf %s "$MANDRILLHUB_PRIVATE" >"$1" || exit
unset MANDRILLHUB_PRIVATE
shift; exec "$@\""""


def exports(environment: dict[str, str]) -> str:
    """Shell lines that set ``environment``; its values can't reach the shell, names that are none are left out."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()
                   if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII))


def after_header(script: str, lines: str) -> str:
    """``script`` with ``lines`` after its head of comments, which is where schedulers look for their options."""
    parts = script.splitlines(keepends=True)
    head = next((at for at, line in enumerate(parts) if not line.startswith("#")), len(parts))
    return "".join([*parts[:head], lines, *parts[head:]])


def reading(path: str) -> str:
    """Shell lines with which a job reads its file and deletes it. No other person's file passes for it, and the folder
    is closed if it was opened meanwhile."""
    file, folder = shlex.quote(path), shlex.quote(path.rpartition("/")[0])
    missing = _("The file that this job needs is not in {folder} (any more). Start it anew.").format(
        folder=f"~/{FOLDER}")
    return f"""if [ ! -O {file} ] || [ -L {file} ]; then
  echo "{missing}"; exit 1
fi
. {file}
rm -f -- {file}; chmod 700 -- {folder}
"""


async def remove(path: str, user: str) -> None:
    """Delete a file as ``user``: where the path comes from the scheduler, it is what the user once wrote."""
    await run_command(*as_account(pwd.getpwnam(user)), "rm", "-f", "--", path, cwd="/")
