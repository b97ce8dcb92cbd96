"""How a job reaches OAR: the file that it runs, what oarsub is told of it, and what oarsub answers (oarsub(1))."""

from __future__ import annotations

import re
import shlex

from spawner_profiles.private_file import FOLDER, after_header, exports

#: Run as the user: $1 is the script's name, the rest are oarsub's arguments. ``exec``, so that an oarsub that hangs
#: can be killed: it would submit whenever OAR's database comes back.
SUBMIT = f"""umask 077 && mkdir -p {FOLDER} && chmod 700 {FOLDER} && cd {FOLDER} || exit
cat >"$1" && chmod 700 "$1" && cd .. || exit
shift && exec oarsub "$@\""""
#: OAR hands paths to several shells with weak quotes.
PLAIN_PATH = re.compile(r"[\w./@%+-]+", re.ASCII)
#: oarsub's words when OAR's database or its server is away.
SILENT = re.compile(r"Cannot connect|DB connection|DBI connect|gave no answer|could not connect|Is OAR started",
                    re.IGNORECASE)


def header_options(script: str) -> list[tuple[str, str]]:
    """The ``#OAR`` lines at the head of a script.

    Not left to ``oarsub -S``, which takes such lines from all of the file: an environment variable could hold one.
    """
    options = []
    for line in script.splitlines():
        if not line.startswith("#"):
            break
        if found := re.fullmatch(r"#OAR\s+(-{1,2}\w[\w-]*)\s+(.+?)\s*", line):
            options.append((found[1], found[2]))
    return options


def job_file(script: str, path: str, environment: dict[str, str]) -> str:
    """``script`` with a beginning that deletes the file and sets the environment; values can't reach the shell."""
    return after_header(script, f"rm -f -- {shlex.quote(path)}\n" + exports(environment))


def refusal(text: str) -> str:
    """Why oarsub refused, without what it prints of every job."""
    noise = r"\[ADMISSION RULE\] (Modify|Automatically)|OAR_JOB_ID=|\[ERROR\] Oarsub failed|\s*$"
    words = (line.strip() for line in text.splitlines() if not re.match(noise, line))
    return " ".join(re.sub(r"^\[ADMISSION RULE\] (Error: )?", "", line) for line in words)
