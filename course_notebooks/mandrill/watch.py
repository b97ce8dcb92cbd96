"""Watch a job live in a notebook: its state, and the last lines of what it prints."""

import time
from html import escape

from IPython import get_ipython
from IPython.display import display

from .scheduler import FORGOTTEN, OVER, Job, Report, SchedulerError

LOOK_EVERY = 1.5  # seconds: a look costs the cluster a few milliseconds, and a class is many people
LINES = 12        # of the log


class _Screen:
    """One text that is replaced in place, in a notebook; in a terminal, one after the other."""

    def __init__(self):
        self.text, self.handle = "", None

    def show(self, text: str) -> None:
        if text == self.text:
            return
        self.text = text
        if not getattr(get_ipython(), "kernel", None):
            print(text)
            return
        bundle = {"text/plain": text, "text/html": f"<pre>{escape(text)}</pre>"}
        if self.handle:
            self.handle.update(bundle, raw=True)
        else:
            self.handle = display(bundle, raw=True, display_id=True)


def watch(job: Job, until: str = "", seconds: float = 120) -> None:
    """Show the job until it has ended, or its log has the text `until`, or `seconds` have passed."""
    screen, end = _Screen(), time.monotonic() + seconds
    while True:
        try:
            report = job.report()
        except SchedulerError as error:  # silent for a moment: that says nothing of the job
            report = Report(f"not known at the moment ({str(error).splitlines()[0]})")
        stop = report.state in (*OVER, FORGOTTEN) or bool(until and until in job.log())
        late = not stop and time.monotonic() > end
        screen.show(describe(job, report) + ("\nstill going on: run this cell again to watch on" if late else ""))
        if stop or late:
            return
        time.sleep(LOOK_EVERY)


def describe(job: Job, report: Report) -> str:
    """The state in one line, then the last lines of the log, and of the error log if there are any."""
    line = f"job {job.number} ({job.name}): {report.state}"
    if report.reason and report.reason != "None":
        line += f", because: {report.reason}"
    if report.node:
        line += f", on {report.node}"
    if report.started and report.ended:
        line += f", took {report.ended - report.started:.0f} s"
    if job.scheduler.recorded:
        line = f"a recording: {line}"
    lines = [line]
    for which in ("out", "err"):
        if text := job.log(which).rstrip():
            lines += ["", f"{getattr(job, which).parent.name}/{getattr(job, which).name}", "-" * 20]
            lines += text.splitlines()[-LINES:]
    return "\n".join(lines)
