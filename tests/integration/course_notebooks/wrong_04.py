"""Wrong answers to 04_to_batch."""

from .wrong_answers import wrong

SCRIPT = """%%writefile project/last_error.py
import argparse
from pathlib import Path
import pandas as pd
parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--last", default=1{type})
options{rest} = parser.{parse}()
errors = pd.read_csv({file})["error"]
print(round(errors.tail(options.last).mean(), 2))
"""
BY_PLACE = """%%writefile project/last_error.py
import sys
import pandas as pd
errors = pd.read_csv(f"{sys.argv[1]}/curve.csv")["error"]
print(round(errors.tail(int(sys.argv[3]) if len(sys.argv) > 3 else 1).mean(), 2))
"""
JOB = '''def job_script(command, cpus, memory_gb, minutes):
    return f"""#!/bin/bash
{first}#SBATCH {cpus}
#SBATCH --mem={{memory_gb}}G
#SBATCH --time={{minutes}}
#SBATCH --output=logs/{out}
#SBATCH --error=logs/{err}

{command}
"""
'''
OAR = '''def job_script(command, cpus, memory_gb, minutes):
    return f"""#!/bin/bash
#OAR -l /core=2,walltime=00:30:00
#OAR -O logs/%jobid%.out
#OAR -E logs/%jobid%.err
{command}
"""
'''
MINUTES = """import math
def minutes_to_ask(start, epoch, epochs, margin=1.5):
    return {}
"""
CAUSE = """def cause(log):
    for sign, word in {signs}:
        if sign in log{lower}:
            return word
"""
SIGNS = """[("DUE TO TIME LIMIT", "time"), ("oom-kill", "memory"), ("oom_kill", "memory"),
        ("CUDA out of memory", "memory"), ("FileNotFoundError", "file"), ("ModuleNotFoundError", "package")]"""
SAVE = """%%writefile project/checkpoint.py
import os
import torch
def save(state, path):
    {save}
def load(path):
    return {load}
"""
LOAD = "torch.load(path) if os.path.exists(path) else None"
WHOLE = 'torch.save(state, f"{path}.new"); os.replace(f"{path}.new", path)'
TRAIN = """def train(epochs, learn, save, load):
    state = {begin}
    {loop}
        state = learn(state)
        {save}
    {end}return state
"""


def script(file='f"{options.folder}/curve.csv"', type=", type=int", rest="", parse="parse_args") -> str:
    return SCRIPT.format(file=file, type=type, rest=rest, parse=parse)


def job(first="", cpus="--cpus-per-task={cpus}", out="%j.out", err="%j.err",
        command="{command}") -> str:
    return JOB.format(first=first, cpus=cpus, out=out, err=err, command=command)


def train(begin='load() or {"epoch": 0}', loop='while state["epoch"] < epochs:', save="save(state)", end="") -> str:
    return TRAIN.format(begin=begin, loop=loop, save=save, end=end)


WRONG = [
    # Looks below the script's own folder, not below the one where one is.
    wrong("script", script(file='Path(__file__).parent / options.folder / "curve.csv"'), hidden="script-check"),
    # Unknown options are passed over.
    wrong("script", script(rest=", _", parse="parse_known_args"), hidden="script-options"),
    # No options, only places.
    wrong("script", BY_PLACE, shown="script-options"),
    # The text of a number.
    wrong("script", script(type=""), shown="script-check"),
    # Several processes with one CPU each; and every job writes to the same files.
    wrong("job", job(cpus="--ntasks={cpus}", out="train.out", err="train.err"), hidden="job-asks job-logs"),
    # The last command succeeds, whatever happened before.
    wrong("job", job(command="{command}\necho finished"), hidden="job-runs"),
    # After the first command nothing counts.
    wrong("job", job(first="set -e\n"), shown="job-asks job-logs"),
    # For OAR: the figures of the example.
    wrong("job", OAR, hidden="job-asks"),
    # Rounded to the nearest.
    wrong("minutes", MINUTES.format("max(1, round(margin * (start + epoch * epochs) / 60))"), hidden="minutes-up"),
    # One more, always.
    wrong("minutes", MINUTES.format("int(margin * (start + epoch * epochs) // 60) + 1"), shown="minutes-check",
          hidden="minutes-up"),
    # A margin of its own.
    wrong("minutes", MINUTES.format("math.ceil(1.5 * (start + epoch * epochs) / 60)"),
          hidden="minutes-check minutes-up"),
    # The margin for the epochs alone.
    wrong("minutes", MINUTES.format("math.ceil((start + margin * epoch * epochs) / 60)"), hidden="minutes-check"),
    # Any word that looks like it.
    wrong("cause", CAUSE.format(signs='[("time", "time"), ("memory", "memory"), ("oom", "memory"), ("file", "file"), '
                                      '("modulenotfound", "package")]', lower=".lower()"), hidden="cause-none"),
    # Any job that was cancelled.
    wrong("cause", CAUSE.format(signs=SIGNS.replace("DUE TO TIME LIMIT", "CANCELLED"), lower=""), hidden="cause-none"),
    # Only the examples.
    wrong("cause", CAUSE.format(signs='[("DUE TO TIME LIMIT", "time"), ("oom-kill", "memory"), '
                                      '("FileNotFoundError", "file")]', lower=""), hidden="cause-check"),
    # Never nothing.
    wrong("cause", CAUSE.format(signs=SIGNS, lower="") + '    return "package"', shown="cause-none"),
    # Overwrites the good one.
    wrong("save", SAVE.format(save="torch.save(state, path)", load=LOAD), shown="save-killed"),
    # For a moment there is none.
    wrong("save", SAVE.format(save='torch.save(state, f"{path}.new"); os.path.exists(path) and os.remove(path); '
                                   'os.rename(f"{path}.new", path)', load=LOAD), hidden="save-killed"),
    # Nothing saved yet is an error.
    wrong("save", SAVE.format(save=WHOLE, load="torch.load(path)"), hidden="save-check"),
    # Keeps the first for ever.
    wrong("save", SAVE.format(save="os.path.exists(path) or (" + WHOLE.replace("; ", ", ") + ")", load=LOAD),
          shown="save-check"),
    # Only every second epoch is saved.
    wrong("resume", train(save='state["epoch"] % 2 or save(state)', end="save(state)\n    "), hidden="resume-check"),
    # One epoch more, though all are there.
    wrong("resume", train(loop="while True:", save='save(state)\n        if state["epoch"] >= epochs: break'),
          hidden="resume-done"),
    # As many epochs again.
    wrong("resume", train(loop="for _ in range(epochs):"), shown="resume-check", hidden="resume-done"),
    # From the beginning, each time.
    wrong("resume", train(begin='{"epoch": 0}'), hidden="resume-check resume-done"),
]
