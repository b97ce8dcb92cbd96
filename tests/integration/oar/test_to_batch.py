"""The course's jobs on a real OAR: one that ends, one that fails, one that is cancelled."""

import json
import subprocess

JOBS = """
import json
from pathlib import Path

from mandrill.oar import Oar
from mandrill.watch import watch

here = Oar()
commands = {"ends": "echo learnt", "fails": "python no_such_file.py", "cut": "echo begun; sleep 600"}
for name, command in commands.items():
    Path(name + ".sh").write_text(here.script(command, name=name))
    job = here.submit(name + ".sh")
    if name == "cut":
        watch(job, until="begun")
        print(here.queue())
        job.cancel()
    watch(job)
    report = job.report()
    print("JOB", json.dumps([name, report.state, bool(report.started and report.ended), report.node, job.log(),
                             job.log("err")]))
"""


def test_the_courses_words_for_oar(platform, oar):
    person = oar.users[0]
    python = platform.layout.kernels / "pytorch/bin/python"
    done = subprocess.run([python, "-c", JOBS], user=person, group=person, extra_groups=[], cwd=oar.home(person),
                          env={"PATH": "/usr/bin:/bin", "HOME": str(oar.home(person)), "USER": person},
                          capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = {name: about for name, *about in (
        json.loads(line.removeprefix("JOB ")) for line in done.stdout.splitlines() if line.startswith("JOB "))}
    state, times, node, out, err = jobs["ends"]
    assert (state, times, out, err) == ("completed", True, "learnt\n", "") and node.startswith("oart-"), jobs
    state, times, _, out, err = jobs["fails"]
    assert (state, times, out) == ("failed", True, "") and "No such file" in err, jobs
    state, times, _, out, err = jobs["cut"]
    assert (state, times, out) == ("cancelled", True, "begun\n") and "KILLED" in err, jobs
    assert "$ oarstat -u" in done.stdout and "$ oardel " in done.stdout and "still going on" not in done.stdout
