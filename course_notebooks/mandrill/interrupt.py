"""Try somebody's checkpoint code the hard way: a process is killed in the middle of saving.

    python -m mandrill.interrupt project/checkpoint.py

imports the file (once: torch takes seconds) and prints as JSON what its `load` gives after each of the moments.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from .project import written

#: When the process that saves the second state is killed: never; in the middle of the file; just before the file gets
#: its name. And where nothing is saved at all.
MOMENTS = ("never", "writing", "renaming", "nothing")
_known: dict[str, dict] = {}


def tried(file: str | Path, seconds: float = 150) -> dict[str, int | str | None]:
    """For each moment, the epoch that `file` loads afterwards, None if its `load` gives None, or its error as text.

    Raises AssertionError where the file has no answer yet, or can't be imported. A text that was tried already is
    not run again.
    """
    __tracebackhide__ = True
    text = written(file)
    if text not in _known:
        try:
            done = subprocess.run([sys.executable, "-m", "mandrill.interrupt", str(file)], capture_output=True,
                                  text=True, timeout=seconds, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{file} still runs after {seconds:g} s") from None
        if done.returncode:
            raise AssertionError((done.stderr.strip().splitlines() or [f"{file} ended with {done.returncode}"])[-1])
        _known[text] = json.loads(done.stdout.splitlines()[-1])
    return dict(_known[text])


class _Deadly:
    """Kills the process that saves it."""

    def __reduce__(self):
        _die()


def _die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def _state(epoch: int) -> dict:
    import torch

    return {"epoch": epoch, "weights": torch.full((1000,), float(epoch))}


def _apart(step: Callable[[], object]) -> object:
    """What a step returns in a process of its own, or its error as text; None if it was killed."""
    with tempfile.TemporaryFile("w+") as answer:
        child = os.fork()
        if not child:
            try:
                json.dump(step(), answer)
            except BaseException as error:
                json.dump(f"{type(error).__name__}: {error}", answer)
            answer.flush()
            os._exit(0)
        os.waitpid(child, 0)
        answer.seek(0)
        return json.loads(answer.read() or "null")


def _try(module, moment: str) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "checkpoint.pt")

        def second():
            state = _state(2)
            if moment == "writing":
                state["last"] = _Deadly()
            if moment == "renaming":
                os.replace = os.rename = _die
            module.save(state, path)

        def load():
            state = module.load(path)
            if state is None:
                return None
            if list(state["weights"]) != _state(state["epoch"])["weights"].tolist():
                raise ValueError("the weights that come back are not those that were saved")
            return state["epoch"]

        steps = [] if moment == "nothing" else [lambda: module.save(_state(1), path), second]
        for step in steps:
            if error := _apart(step):
                return error
        return _apart(load)


def _main(file: str) -> int:
    spec = importlib.util.spec_from_file_location("checkpoint_to_try", file)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        print(f"{file}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps({moment: _try(module, moment) for moment in MOMENTS}))
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
