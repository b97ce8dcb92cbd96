"""The box, by itself: driver and kernel as in a job, without a cluster. What the cluster adds is in test_grade.py."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import uuid

import pytest

from hub.grading.sandbox import box
from tests.live import REPOSITORY

NOBODY = 65534


@pytest.fixture
def execute(platform):
    """Executes cells as a job would, as an account that owns nothing; returns result.json."""
    srv = platform.layout.srv
    places = []

    def execute(*cells, timeout=15, seconds=120, memory_mb=1000, files=None, program=None):
        place = srv / f"box-{uuid.uuid4().hex[:12]}"
        (place / box.RUN).mkdir(parents=True)
        places.append(place)
        python = platform.layout.kernels / "pytorch/bin/python"
        task = {"folder": "02_data", "visible": [str(platform.layout.kernels)], "disk_mb": 100, "processes": 200,
                "output_mb": 2, "memory_mb": memory_mb, "seconds": seconds,
                "argv": [program or str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "environment": {"HOME": box.HOME, "PATH": f"{python.parent}:/usr/bin:/bin", "LANG": "C.UTF-8"}}
        (place / "task.json").write_text(json.dumps(task))
        work = {"cells": [{"source": cell, "code": True, "tags": []} for cell in cells],
                "execute": {"timeout": timeout, "interrupt_on_timeout": True, "allow_errors": True, "iopub_timeout": 2,
                            "raise_on_iopub_timeout": True,
                            "error_on_timeout": {"ename": "CellTimeoutError", "evalue": "", "traceback": ["late"]}}}
        with tarfile.open(place / "work.tar", "w") as tar:
            contents = {f"files/{name}": text for name, text in (files or {}).items()}
            for name, text in {"work.json": json.dumps(work), **contents}.items():
                member = tarfile.TarInfo(name)
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        for path in (place, *place.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        command = box.outer(place, 100, [str(platform.layout.server_bin / "python"), "-m",
                                         "hub.grading.sandbox.driver", str(place)])
        done = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "sh", "-c",
                               f"exec {command}"], cwd="/", capture_output=True, text=True,
                              env={"PATH": "/usr/bin:/bin", "HOME": str(place), "PYTHONPATH": str(REPOSITORY),
                                   "PYTHONDONTWRITEBYTECODE": "1"})
        assert done.returncode == 0, done.stderr
        return json.loads((place / "result.json").read_text())

    yield execute
    for place in places:
        subprocess.run(["rm", "-rf", place], check=True)


def text(result, index):
    return "".join(out.get("text", "") for out in result["cells"][str(index)]["outputs"])


def errors(result, index):
    return [out["ename"] for out in result["cells"][str(index)]["outputs"] if out["output_type"] == "error"]


def test_what_is_to_be_seen_in_it(execute, platform):
    result = execute(
        "import os; print(open('notes/a.txt').read(), os.getcwd(), sorted(os.listdir('/')), os.listdir('/etc'))",
        f"import socket; socket.create_connection(('127.0.0.1', {platform.port}), 5)",
        f"import os; print([name for name in ({str(platform.layout.etc)!r}, {str(platform.layout.var)!r}, "
        f"{str(platform.layout.homes)!r}, '/root', '/sys', '/run', '/etc/shadow') if os.path.exists(name)])",
        "%%bash\nfor place in / /dev /usr /etc; do touch $place/x 2>/dev/null && echo $place; done\n"
        "unshare -U true 2>/dev/null && echo namespaces; ps -e --no-headers | wc -l; whoami",
        files={"notes/a.txt": "with its files"})
    assert result["reason"] == ""
    assert "with its files /home/student/02_data" in text(result, 0)
    assert errors(result, 1) == ["ConnectionRefusedError"]
    assert text(result, 2) == "[]\n"
    assert text(result, 3).split()[-1] == "student" and len(text(result, 3).split()) == 2, text(result, 3)


def test_a_loop_is_interrupted_and_the_rest_goes_on(execute):
    result = execute("while True: pass", "print('after')", timeout=3)
    assert errors(result, 0) == ["KeyboardInterrupt", "CellTimeoutError"]
    assert result["reason"] == "" and text(result, 1) == "after\n"


@pytest.mark.parametrize(("cell", "limits", "reason"), [
    ("import time\nwhile True:\n    try: time.sleep(9)\n    except KeyboardInterrupt: pass", {"timeout": 2},
     "the cell ran for more than 2 s and did not let itself be interrupted"),
    ("import time; time.sleep(99)", {"timeout": 99, "seconds": 20}, "the time of the whole notebook was over"),
    ("import os; os._exit(3)", {}, "its kernel ended with status 3"),
    ("data = b'x' * 2_000_000_000", {"timeout": 60}, "it used more memory than the 1000 MB that there are"),
    ("import time\nwhile True:\n    print('x' * 1_000_000, flush=True)\n    time.sleep(0.05)", {"timeout": 60},
     "it printed more than 2 MB"),
    ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", {"timeout": 60},
     "it started more than 180 processes and threads"),
    ("kernel = get_ipython().kernel\nkernel.session.send(kernel.iopub_socket, 'stream', content={'name': 5, 'text': 5},"
     " parent=kernel.get_parent())", {}, "its kernel sent what is no answer (NotebookValidationError)"),
], ids=["uninterruptible", "walltime", "exit", "memory", "output", "fork", "malformed"])
def test_what_ends_it(execute, cell, limits, reason):
    result = execute("print('before')", cell, "print('never')", **limits)
    assert result["reason"] == reason
    assert result["faulty"] == 1 and list(result["cells"]) == ["0", "1"] and text(result, 0) == "before\n"


def test_what_costs_nobody_anything(execute):
    result = execute("open('big', 'wb').write(bytes(1_000_000_000))", "import os; os.remove('big')",
                     "import shutil; shutil.rmtree('.', ignore_errors=True)",
                     "%%bash\nrm -rf --no-preserve-root / 2>/dev/null; true", "print('still here')")
    assert errors(result, 0) == ["OSError"] and result["reason"] == ""
    assert "still here\n" in text(result, 4)


def test_a_file_that_keeps_the_kernel_from_starting_is_the_submissions_fault(execute):
    result = execute("1", files={"ipykernel_launcher.py": "raise SystemExit('mine')"})
    assert result["reason"].startswith("with its files there the kernel does not start") and "failed" not in result


def test_a_node_without_the_kernel_is_not_the_submissions_fault(execute):
    result = execute("1", program="/nowhere/python")
    assert result["failed"].startswith("the kernel does not start in the sandbox on this node: ")
    assert "No such file" in result["failed"]
