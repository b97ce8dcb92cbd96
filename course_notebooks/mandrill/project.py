"""Run a person's own Python script, as a terminal or a job would."""

import subprocess
import sys
from pathlib import Path

_UNTOUCHED = "raise NotImplementedError()"  # where an answer belongs, nbgrader puts this


def written(script: str | Path) -> str:
    """The text of a script that a person was to write. Raises AssertionError where there is none yet."""
    __tracebackhide__ = True
    if not Path(script).is_file():
        raise AssertionError(f"there is no {script} yet: run the cell above, whose first line is %%writefile {script}")
    text = Path(script).read_text(errors="replace")
    if _UNTOUCHED in text:
        raise AssertionError(f"{script} holds no answer yet: put your own lines in place of {_UNTOUCHED}, "
                             "and run that cell again")
    return text


def run(script: str | Path, *arguments: object, folder: str | Path = ".", seconds: float = 120) -> str:
    """What the script prints, without the blanks around it, when it is run from ``folder``.

    Raises AssertionError where there is no script yet, with the last line of the script's own message when it fails, or
    after ``seconds``.
    """
    __tracebackhide__ = True  # people need the message, not these lines
    written(script)
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
