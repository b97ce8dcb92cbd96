"""nbgrader's commands as other accounts, without their 2 s of imports: run by the notebook server's Python, as root.

Imports nbgrader once, then forks: one JSON object a line in ({uid, gid, home, env, argv} or, instead of argv, code),
one out ({rc, out, cpu}; CPU seconds of the child). What runs is the entry point of `nbgrader` itself.
"""

import json
import os
import resource
import sys
import tempfile
import traceback

import nbgrader.apps.api  # noqa: F401
from nbgrader.apps.nbgraderapp import NbGraderApp


def child(task: dict, output) -> None:
    os.setgroups([])
    os.setgid(task["gid"])
    os.setuid(task["uid"])
    os.environ.clear()
    os.environ.update(task["env"])
    os.umask(0o022)
    os.chdir(task["home"])
    sys.path.insert(0, task["env"]["PYTHONPATH"])
    for fd in (1, 2):
        os.dup2(output.fileno(), fd)
    rc = 1
    try:
        if "code" in task:
            exec(task["code"], {"__name__": "__main__"})
        else:
            NbGraderApp.launch_instance(task["argv"])
        rc = 0
    except SystemExit as exit:
        rc = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(rc)


for line in sys.stdin:
    with tempfile.TemporaryFile() as output:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        pid = os.fork()
        if not pid:
            child(json.loads(line), output)
        rc = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        output.seek(0)
        print(json.dumps({"rc": rc, "out": output.read().decode(errors="backslashreplace"),
                          "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}), flush=True)
