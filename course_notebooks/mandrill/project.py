"""Run a person's own Python script, as a terminal or a job would."""

import subprocess
import sys
from pathlib import Path


def run(script: str | Path, *arguments: object, folder: str | Path = ".", seconds: float = 120) -> str:
    """What the script prints, without the blanks around it, when it is run from ``folder``.

    Raises AssertionError with the last line of the script's own message when it fails, or after ``seconds``.
    """
    __tracebackhide__ = True  # people need the message, not these lines
    try:
        done = subprocess.run([sys.executable, str(Path(script).absolute()), *map(str, arguments)], cwd=folder,
                              capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL,
                              errors="replace")
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{script} still runs after {seconds:g} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise AssertionError(f"{script} failed ({done.returncode}): {last}")
    return done.stdout.strip()
