"""The course's notebook on batch jobs, as an attendee runs it: its jobs are real ones of the platform's Slurm."""

import json
import pwd
import re
import shutil
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "course_notebooks/source/04_to_batch/to_batch.ipynb"
#: In the kernel of the attendee's server, cell by cell, as JupyterLab sends them.
RUN = """
import json, os
os.makedirs({folder!r})
os.chdir({folder!r})
for cell in json.loads({cells!r}):
    get_ipython().run_cell(cell).raise_error()
jobs = {{name: globals()[name] for name in ("first", "fails", "cut", "again")}}
print("JOBS", json.dumps({{name: [job.number, vars(job.report()), job.log(), job.log("err")]
                         for name, job in jobs.items()}}))
"""


def real_jobs() -> list[str]:
    """The notebook's cells without its exercises, and without the trial that needs no scheduler."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells
            if cell["cell_type"] == "code" and not cell["metadata"] and cell["id"] != "try"]


@pytest.fixture
def folder():
    place = Path(pwd.getpwnam("mh-ada").pw_dir, "to-batch-test")
    yield place
    shutil.rmtree(place, ignore_errors=True)


def epochs(log: str) -> list[int]:
    return [int(number) for number in re.findall(r"^epoch (\d+): error [\d.]+ years", log, re.MULTILINE)]


def test_the_notebooks_jobs_are_submitted_watched_cancelled_and_resumed(platform, ada, folder):
    ada.start("cpu")
    said = ada.run(RUN.format(folder=str(folder), cells=json.dumps(real_jobs())), timeout_s=240)
    print(said)
    assert "here: Slurm" in said and "recording" not in said, said
    assert re.search(rf"\$ srun .*\n\d+\n{platform.layout.instance}-\S+\n", said), said
    jobs = json.loads(said.rpartition("JOBS ")[2])

    number, report, out, err = jobs["first"]
    assert report["state"] == "completed" and epochs(out) == [1, 2, 3] and out.endswith("finished\n"), jobs["first"]
    assert "1 CPU" in out and err == ""
    assert (folder / f"project/logs/{number}.out").read_text() == out
    assert (folder / f"project/logs/{number}.out").stat().st_uid == pwd.getpwnam("mh-ada").pw_uid

    number, report, out, err = jobs["fails"]
    assert report["state"] == "failed" and out == "" and "unrecognized arguments: --fotos" in err

    number, report, out, err = jobs["cut"]
    done = epochs(out)
    assert report["state"] == "cancelled" and done[:4] == [1, 2, 3, 4] and len(done) < 8, jobs["cut"]
    assert "CANCELLED" in err
    number, report, out, _ = jobs["again"]
    assert report["state"] == "completed" and epochs(out)[-1] == 8, jobs["again"]
    # what was saved is not learnt again; an epoch may have been saved and not told
    assert f"going on after epoch {epochs(out)[0] - 1}\n" in out and epochs(out)[0] - len(done) in (1, 2)
    seen = platform.slurm("scontrol", "show", "job", number)
    assert "JobState=COMPLETED" in seen and "UserId=mh-ada(" in seen and "JobName=long" in seen
