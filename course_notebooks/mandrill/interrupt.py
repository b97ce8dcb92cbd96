"""Try somebody's checkpoint code the hard way: a process is killed in the middle of saving.

    python -m mandrill.interrupt project/checkpoint.py writing

imports the file, saves a state, saves a second one and is killed meanwhile, and prints as JSON what `load` then gives.
Each step is a process of its own; torch is imported once for all of them.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

#: Moments to be killed at: never, while the file is written, just before it gets its name.
MOMENTS = ("never", "writing", "renaming")


def after(file: str | Path, moment: str, seconds: float = 60) -> int | None:
    """The epoch that `file` loads after its second save met `moment`; None if its `load` gives None.

    ``nothing`` as the moment saves nothing at all. Raises AssertionError with the last line of what went wrong.
    """
    __tracebackhide__ = True
    done = subprocess.run([sys.executable, "-m", "mandrill.interrupt", str(file), moment], capture_output=True,
                          text=True, timeout=seconds)
    if done.returncode:
        raise AssertionError((done.stderr.strip().splitlines() or ["it says nothing"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


class _Deadly:
    """Kills the process that saves it."""

    def __reduce__(self):
        _die()


def _die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def _state(epoch: int) -> dict:
    import torch

    return {"epoch": epoch, "weights": torch.full((1000,), float(epoch))}


def _apart(step) -> int:
    """Run a step in a process of its own; its exit status, negative for a signal."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        step()
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def _main(file: str, moment: str) -> int:
    spec = importlib.util.spec_from_file_location("checkpoint_to_try", file)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        print(f"{file}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "checkpoint.pt")

        def second():
            state = _state(2)
            if moment == "writing":
                state["last"] = _Deadly()
            if moment == "renaming":
                os.replace = os.rename = _die
            module.save(state, path)

        def look():
            state = module.load(path)
            if state is None:
                print("null", flush=True)
            else:
                expected = _state(state["epoch"])["weights"].tolist()
                if list(state["weights"]) != expected:
                    raise ValueError("the weights that come back are not those that were saved")
                print(state["epoch"], flush=True)

        steps = [look] if moment == "nothing" else [lambda: module.save(_state(1), path), second, look]
        for step in steps:
            if _apart(step) > 0:  # it raised; a signal is what we wanted
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
