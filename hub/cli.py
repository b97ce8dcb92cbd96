"""The `mandrillhub` command."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hub import accounts, install, leaving, roster, services
from hub.backend import Backend, check_installed, commands, unfit
from hub.clusters import EmbeddedCluster, GpuNode
from hub.daemons import Daemons
from hub.embedded import gpus, reservation
from hub.embedded.slurm import EmbeddedSlurm
from hub.grading import config, courses
from hub.grading import grade as grading
from hub.layout import Layout
from hub.ports import check_free
from hub.problems import Problems, Stop
from hub.running import Running
from hub.terminal import console, step, told
from hub.workshop import Workshop, load, problem
from kernels import build as kernels
from spawner_profiles.jobs import Capacity, Job, Phase, SchedulerSilent

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A JupyterHub teaching platform for GPU clusters.")
ROOT = Annotated[Path, typer.Option(help="everything lies below this directory")]


def prepare(root: Path) -> Layout:
    if os.geteuid() != 0:
        raise Stop("this needs root: it makes accounts and submits jobs as other people. "
                   "Use `make`, which asks for sudo.")
    os.umask(0o022)
    return Layout(root.resolve())


@contextmanager
def alone(layout: Layout):
    """One `up` or `down` at a time."""
    with (layout.var / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stop(f"another `mandrillhub up` or `down` works on {layout.root}; wait until it has ended") from None
        yield


@app.command()
def up(
    root: ROOT = Path("/"),
    workshop: Annotated[Path | None, typer.Option(help="instead of ROOT/etc/mandrillhub/workshop.yml")] = None,
    port: Annotated[int | None, typer.Option(help="instead of what workshop.yml says")] = None,
    cpu_nodes: Annotated[int | None, typer.Option(help="instead of what workshop.yml says")] = None,
) -> None:
    """Install what is missing, start what is not running, and say where to log in."""
    with told():
        layout = prepare(root)
        layout.make()
        with alone(layout):
            _up(layout, workshop, port, cpu_nodes)


def _up(layout: Layout, workshop_file: Path | None, port: int | None, cpu_nodes: int | None) -> None:
    if workshop_file is None:
        layout.write_defaults()
    file = workshop_file or layout.workshop
    real, remark = gpus.real()
    nodes = [GpuNode(model=node.model, gpus=len(node.files)) for node in real] or None
    with step(f"reading {file}") as outcome:
        workshop, people = load(file, port=port, cpu_nodes=cpu_nodes, gpu_nodes=nodes)
        accounts.check(people, file.parent / workshop.attendees)
        check_accounts(workshop, file)
        outcome["note"] = f"{len(workshop.profiles)} profiles, {len(people)} people"
    existing = not isinstance(workshop.cluster, EmbeddedCluster)
    running = Running(workshop=workshop, people=people, data=workshop.data.mandrillus or layout.data,
                      emulated=not existing and not real and bool(workshop.cluster.gpu_nodes))
    supervisor = Daemons(layout, layout.hub_bin)
    everyone = [*(person.login for person in people), *workshop.accounts]
    cluster = None if existing else EmbeddedSlurm(
        layout, workshop.cluster, workshop.port, everyone, workshop.limits.gpus)
    needed, misfits = services.needed_ports(layout, running), []
    if cluster:
        cluster.check_place()
        needed |= cluster.needed_ports()
    else:
        remark = ""
        check_installed(workshop.cluster)
        accounts.check_there(people, file.parent / workshop.attendees)
        its = commands(layout, running.workshop.cluster)
        with step(f"asking {its.name}") as outcome:
            misfits = asyncio.run(unfit(its, workshop.profiles))
            outcome["note"] = f"{len(workshop.profiles) - len(misfits)} profiles fit on its nodes"
    check_free(needed, supervisor.pids())

    uv = layout.opt / "uv/bin/uv"
    with step("Debian packages" + (": Slurm, munge" if cluster else "")) as outcome:
        outcome["changed"] = install.debian_packages(embedded=bool(cluster))
    with step("notebook server: JupyterLab (0.4 GB)") as outcome:
        outcome["changed"] = install.server(layout, uv, workshop.language)
    with step("proxy") as outcome:
        outcome["changed"] = install.proxy(layout)
    for kernel in workshop.kernels:
        with step(f"kernel {kernel.name} ({kernels.describe(kernel.name)[1]})") as outcome:
            outcome["changed"] = install.kernel(layout, uv, kernel.name)
            if kernel.image:
                visible = [layout.srv, *filter(None, [workshop.data.mandrillus])]
                outcome["changed"] |= install.kernel_image(layout, kernel.name, visible)
            outcome["note"] = install.kernel_works(layout, kernel.name)
    kernels.remove_others([kernel.name for kernel in workshop.kernels], layout.jupyter)
    with step("course and photos", spinner=False) as outcome:
        changed = install.course(layout, workshop)
        running.data = install.data(layout, workshop)
        outcome["note"] = "" if changed else "already there"
        if not workshop.data.mandrillus:
            outcome["note"] += (", " if not changed else "") + "photos are synthetic"
    with step("accounts") as outcome:
        done = accounts.apply(people, layout.homes, layout.passwords)
        outcome["note"] = "; ".join(done[:3]) + (f" and {len(done) - 3} more" if len(done) > 3 else "")
        outcome["changed"] = bool(done)
    with step("courses: assignments, exchange") as outcome:
        changed = config.write(layout, workshop)
        done = courses.prepare(layout, workshop, people)
        outcome["note"] = "; ".join(done)
        outcome["changed"] = changed or bool(done)
    warnings = [line for line in done if "could not" in line]
    warnings += [f"{line}; close it to others than its owner" for line in courses.close_sources(workshop)]
    leaving.leave_former_cluster(layout, running, supervisor)
    with step("cluster, proxy and hub" if cluster else "proxy and hub") as outcome:
        running.write(layout)
        daemons = services.daemons(layout, running)
        if cluster:
            cluster.write()
            daemons = [*cluster.daemons(), *daemons]
        changes, reserved = supervisor.apply(daemons, lambda text: None), ""
        if cluster:
            cluster.tidy(lambda text: None)
            reserved = reservation.keep(cluster, workshop.reservation, everyone)
        outcome["note"] = "; ".join(filter(None, [str(changes) if changes or not reserved else "", reserved]))
    with step("people in the hub") as outcome:
        done = roster.apply(people, workshop.courses, services.hub_api(layout, running))
        outcome["note"] = "; ".join(done)
        outcome["changed"] = bool(done)
    login = f"http://{services.own_host(running)}:{workshop.port}/hub/login"
    if not services.answers(login):
        raise Stop(f"everything was started, but {login} does not answer; see {layout.logs}/hub.log and proxy.log")
    _welcome(layout, running, remark)
    for warning in warnings:
        console.print(f"[yellow]{escape(warning)}[/]")
    for profile in misfits:
        what = ", ".join(filter(None, (
            f"partition {profile.partition}", f"{profile.gpus} GPU" * bool(profile.gpus), profile.gpu_model,
            f"{profile.cpus} CPUs", profile.memory_text)))
        console.print(f"[yellow]no node that is up fits the profile {profile.key}[/] ({what}): "
                      "who chooses it would wait for ever, or be refused")


def check_accounts(workshop: Workshop, file: Path) -> None:
    """Refuse accounts of courses that are the system's, or that are missing where we make none."""
    make = isinstance(workshop.cluster, EmbeddedCluster)
    places = [(("courses", index, "account"), course.account) for index, course in enumerate(workshop.courses)]
    places.append((("grading", "account"), workshop.grading.account))
    if wrong := [problem(file, place, words) for place, login in places if (words := accounts.misfits(login, make))]:
        raise Problems(wrong)


def _welcome(layout: Layout, running: Running, remark: str) -> None:
    console.print(f"\n[bold]{running.workshop.title}[/] is at [bold]{services.address(running)}[/]")
    if running.emulated:
        console.print("[yellow]emulated: no GPU on this machine[/] "
                      "(GPU jobs are scheduled and limited like real ones, and compute on the CPU)")
    if remark:
        console.print(f"[yellow]{remark}[/]")
    passwords = accounts.read_passwords(layout.passwords)
    if len(running.people) <= 8:
        table = Table("login", "first password", "name", "role", box=None)
        for person in running.people:
            table.add_row(person.login, passwords.get(person.login, "(this account's own)"), person.name, person.role)
        console.print(table)
    else:
        console.print(f"first passwords: {layout.passwords} (only root can read it)")
    console.print(f"[dim]Change the day in {layout.workshop}, then `make up` again. Logs: {layout.logs}[/]")


@app.command()
def down(root: ROOT = Path("/")) -> None:
    """Stop everybody's servers, the hub, the proxy and the cluster. Homes and the database stay."""
    with told():
        layout = prepare(root)
        supervisor = Daemons(layout, layout.hub_bin)
        if not supervisor.running():
            console.print(f"nothing of {layout.root} is running")
            return
        with alone(layout):
            running = Running.read(layout)
            # The hub first, so that nobody starts a server while we stop them.
            with step("hub"):
                supervisor.stop("hub")
            with step("notebook servers"):
                leaving.stop_servers(layout, running)
            with step("cluster and proxy"):
                supervisor.stop_all(lambda text: None)
                leaving.remove_traces(layout, running)
        console.print(f"stopped; homes, {layout.hub_state} and {layout.srv} stay")


@app.command()
def status(root: ROOT = Path("/")) -> None:
    """What runs, what is free, and who has a server. Exit status 1 if anything is not as it should be."""
    with told():
        layout = prepare(root)
        running = Running.read(layout)
        found = Daemons(layout, layout.hub_bin).status()
        table = Table("daemon", "state", "since", box=None)
        for name, state, description in found:
            table.add_row(name, f"[{'green' if state == 'RUNNING' else 'red'}]{state}[/]", description)
        if not found:
            raise Stop(f"nothing of {layout.root} is running; start it with `make up`")
        console.print(table)
        its = commands(layout, running.workshop.cluster)
        try:
            capacity, jobs = asyncio.run(_ask(its, running))
        except SchedulerSilent as error:
            raise Stop(f"{its.name} does not answer: {error}; see " + (
                f"{layout.logs}/slurmctld.log" if its.hub_id == layout.instance else "the cluster's own state"
            )) from None
        table = Table("profile", "free now", "in all", box=None)
        for profile in running.workshop.profiles:
            figures = capacity[profile.key]
            table.add_row(profile.title, str(figures.free), str(figures.total))
        console.print(table)
        table = Table("person", "job", "partition", "state", "node", box=None)
        for job in jobs.values():
            if job.phase is not Phase.ENDED:
                table.add_row(job.user, job.id, job.partition, f"{job.phase.value} {job.reason}".strip(), job.node)
        console.print(table if table.row_count else "no job runs or waits")
        console.print(f"address: {services.address(running)}")
        if any(state != "RUNNING" for _, state, _ in found):
            sys.exit(1)


@app.command()
def grade(assignment: str, course: Annotated[str | None, typer.Option(help="one of workshop.yml's courses")] = None,
          student: Annotated[str | None, typer.Option(help="this person's submission alone")] = None,
          force: Annotated[bool, typer.Option(help="grade again what is graded")] = False,
          root: ROOT = Path("/")) -> None:
    """Collect and autograde all submissions of an assignment, each in a job of its own. Exit status 1 if one could
    not be graded."""
    with told():
        layout = prepare(root)
        running = Running.read(layout)
        if not grading.grade(layout, grading.chosen(running, course), assignment, student, force):
            sys.exit(1)


async def _ask(its: Backend, running: Running) -> tuple[dict[str, Capacity], dict[str, Job]]:
    """What is free, and the jobs: all of the embedded cluster, of another only this hub's."""
    capacity, jobs = await its.scheduler.capacity(running.workshop.profiles), await its.scheduler.jobs(0)
    if not isinstance(running.workshop.cluster, EmbeddedCluster):
        marks = await its.scheduler.marked()
        jobs = {key: job for key, job in jobs.items() if marks.get(key, ("", ""))[1].startswith(f"{its.hub_id}/")}
    return capacity, jobs


if __name__ == "__main__":
    app()
