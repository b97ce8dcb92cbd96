"""Does a kernel work? Starts it through its kernelspec, as a notebook server would, and runs its folder's check.py."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
#: Patience, in seconds, with a kernel that starts and with its check.py: the first import of torch from a cold disk.
PATIENCE = 180
NOBODY = "nobody"


class Broken(Exception):
    """A kernel that does not do what it must; the message says what happened and what to look at."""


def check(name: str, environments: Path, jupyter: Path, seconds: float = PATIENCE) -> str:
    """What the check of kernel ``name`` printed; raises :class:`Broken`.

    Root checks as the account nobody: what root alone can read or run is broken for a class.
    """
    python = environments / name / "bin/python"
    if not python.exists():
        raise Broken(f"kernel {name}: no environment at {python.parent.parent}; build it first: "
                     f"python kernels/build.py build {name} …")
    with tempfile.TemporaryDirectory(prefix="kernel-check-", ignore_cleanup_errors=True) as home:
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8",
                       "JUPYTER_PATH": str(jupyter), "IPYTHONDIR": home, "MPLCONFIGDIR": home}
        account: dict = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam(NOBODY)
            os.chown(home, nobody.pw_uid, nobody.pw_gid)
            account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        driver = [python, "-c", (HERE / "drive.py").read_text(), name, str(seconds)]
        try:
            result = subprocess.run(driver, input=(HERE / name / "check.py").read_text(), cwd=home, env=environment,
                                    capture_output=True, text=True, timeout=2.5 * seconds, **account)
        except PermissionError:
            raise Broken(f"kernel {name}: {NOBODY if account else 'this account'} can't run {python}; "
                         f"{_closed(python)} Build it where everyone may read, such as /srv.") from None
        except subprocess.TimeoutExpired:
            raise Broken(f"kernel {name}: it neither started nor failed in {2.5 * seconds:.0f} s") from None
    said = result.stdout.strip()
    if result.returncode == 0:
        return said
    what = {3: "it does not start", 4: "its check.py fails"}.get(result.returncode, "it can't be driven")
    raise Broken(f"kernel {name}: {what}.\n{_last(said, result.stderr)}\nKernelspec: {jupyter}/kernels/{name}/"
                 f"kernel.json; check: {HERE / name / 'check.py'}{_hint(result.stderr)}")


def _last(*texts: str) -> str:
    """The last lines of what was said, without a terminal's colours."""
    lines = [line for text in texts for line in re.sub(r"\x1b\[[\d;]*m", "", text).splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in lines[-12:])


def _closed(path: Path) -> str:
    """Which directory on the way to ``path`` is closed to others."""
    shut = next((place for place in reversed(path.parents) if not place.stat().st_mode & 0o001), None)
    return f"{shut} is closed to other accounts." if shut else ""


def _hint(stderr: str) -> str:
    if "/dev/fuse" in stderr:
        return ("\nAn image is mounted through /dev/fuse, which must be open to everyone, as udev makes it: "
                "chmod 666 /dev/fuse")
    return ""
