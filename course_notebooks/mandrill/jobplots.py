"""Figures of jobs: where their time went, and what they learnt."""

import re

from matplotlib.figure import Figure

from .picture import BLUE, GREY, RED, SYNTHETIC_LABEL, Picture
from .scheduler import Job

#: What the course's train.py prints after each epoch.
_EPOCH = re.compile(r"^epoch (\d+): error ([\d.]+) years", re.MULTILINE)


def times(*jobs: Job) -> Picture:
    """One bar a job: how long it waited, and how long it ran, in seconds since the first was submitted."""
    found = [(job, job.report()) for job in jobs]
    found = [(job, report) for job, report in found if report.submitted is not None]
    figure = _figure(jobs, 0.9 + 0.45 * max(1, len(found)))
    axis = figure.subplots()
    first = min((report.submitted for _, report in found), default=0)
    for row, (_, report) in enumerate(found):
        begin = report.submitted - first
        started = (report.started or report.submitted) - first
        ended = (report.ended or report.started or report.submitted) - first
        axis.barh(row, started - begin, left=begin, color="#cccccc", label="waiting" if row == 0 else None)
        axis.barh(row, ended - started, left=started, color=BLUE, label="running" if row == 0 else None)
        axis.text(ended, row, f"  {report.state}", va="center", fontsize=9)
    axis.set_yticks(range(len(found)), [f"{job.number} ({job.name})" for job, _ in found])
    axis.invert_yaxis()
    axis.margins(x=0.2)
    axis.set_xlabel("seconds since the first was submitted")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return Picture(figure)


def learnt(*jobs: Job) -> Picture:
    """The error after each epoch, in a colour a job: the second goes on where the first was stopped."""
    figure = _figure(jobs, 3)
    axis = figure.subplots()
    for job, colour in zip(jobs, (BLUE, RED, GREY)):
        points = [(int(epoch), float(error)) for epoch, error in _EPOCH.findall(job.log())]
        if points:
            axis.plot(*zip(*points), color=colour, marker="o", label=f"job {job.number}: {job.report().state}")
    axis.set(xlabel="epoch", ylabel="error (years)")
    axis.set_ylim(bottom=0)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.spines[["top", "right"]].set_visible(False)
    if axis.lines:
        axis.legend(frameon=False, fontsize=9)
    return Picture(figure)


def _figure(jobs: tuple[Job, ...], height: float) -> Figure:
    figure = Figure(figsize=(6.8, height), dpi=96, layout="constrained")
    said = [SYNTHETIC_LABEL] if any(SYNTHETIC_LABEL in job.log() for job in jobs) else []
    said += ["a recording"] if any(job.scheduler.recorded for job in jobs) else []
    if said:
        figure.supxlabel(", ".join(said), x=0.995, ha="right", fontsize=9, style="italic", color=GREY)
    return figure
