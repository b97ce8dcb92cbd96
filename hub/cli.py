"""The `mandrillhub` command."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from hub import accounts, install, roster, services
from hub.daemons import Daemons
from hub.embedded import gpus
from hub.embedded.slurm import EmbeddedSlurm
from hub.layout import Layout
from hub.ports import check_free
from hub.problems import Problems, Stop
from hub.running import Running
from hub.workshop import GpuNode, load
from kernels import build as kernels
from spawner_profiles.jobs import Phase, SchedulerSilent
from spawner_profiles.slurm import Slurm

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A JupyterHub teaching platform for GPU clusters.")
console = Console(highlight=False, soft_wrap=True)
ROOT = Annotated[Path, typer.Option(help="everything lies below this directory")]


@contextmanager
def step(what: str, spinner: bool = True):
    """Say what is being done and for how long already; then how long it took, or that it was there.

    ``spinner=False`` for a step that shows a progress bar of its own.
    """
    begin = monotonic()
    outcome: dict[str, str | bool] = {}
    live = spinner and console.is_terminal
    if not live:
        console.print(f"→ {what}")
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console,
                  transient=True, disable=not live) as progress:
        progress.add_task(what)
        yield outcome
    note = outcome.get("note") or ("" if outcome.get("changed", True) else "already there")
    console.print(f"[green]✓[/] {what}{': ' + str(note) if note else ''} [dim]({monotonic() - begin:.1f} s)[/]")


@contextmanager
def told():
    """End with a message instead of a traceback."""
    try:
        yield
    except (Problems, Stop) as error:
        # No markup: the message quotes what people wrote.
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"✗ {error}", markup=False)
        raise typer.Exit(1) from None


def prepare(root: Path) -> Layout:
    if os.geteuid() != 0:
        raise Stop("this needs root: it makes accounts and starts Slurm. Use `make`, which asks for sudo.")
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
        outcome["note"] = f"{len(workshop.profiles)} profiles, {len(people)} people"
    running = Running(workshop=workshop, people=people, emulated=not real and bool(workshop.cluster.gpu_nodes),
                      data=workshop.data.mandrillus or layout.data)
    supervisor = Daemons(layout, layout.hub_bin)
    cluster = EmbeddedSlurm(layout, workshop.cluster, workshop.port)
    cluster.check_place()
    check_free(cluster.needed_ports() | services.needed_ports(running), supervisor.pids())

    uv = layout.opt / "uv/bin/uv"
    with step("Debian packages: Slurm, munge") as outcome:
        outcome["changed"] = install.debian_packages()
    with step("notebook server: JupyterLab (0.4 GB)") as outcome:
        outcome["changed"] = install.server(layout, uv)
    with step("proxy") as outcome:
        outcome["changed"] = install.proxy(layout)
    for name in kernels.names():
        with step(f"kernel {name} (6 GB, some minutes)") as outcome:
            outcome["changed"] = install.kernel(layout, uv, name)
    with step("course and photos", spinner=False) as outcome:
        changed = install.course(layout)
        running.data = install.data(layout, workshop)
        outcome["note"] = "" if changed else "already there"
        if not workshop.data.mandrillus:
            outcome["note"] += (", " if not changed else "") + "photos are synthetic"
    with step("accounts") as outcome:
        done = accounts.apply(people, layout.homes, layout.passwords)
        outcome["note"] = "; ".join(done[:3]) + (f" and {len(done) - 3} more" if len(done) > 3 else "")
        outcome["changed"] = bool(done)
    with step("cluster, proxy and hub") as outcome:
        running.write(layout)
        cluster.write()
        daemons = [*cluster.daemons(), *services.daemons(layout, running)]
        outcome["note"] = str(supervisor.apply(daemons, lambda text: None))
        cluster.tidy(lambda text: None)
    with step("people in the hub") as outcome:
        done = roster.apply(people, services.hub_api(layout, running))
        outcome["note"] = "; ".join(done)
        outcome["changed"] = bool(done)
    login = f"http://{services.own_host(running)}:{workshop.port}/hub/login"
    if not services.answers(login):
        raise Stop(f"everything was started, but {login} does not answer; see {layout.logs}/hub.log and proxy.log")
    _welcome(layout, running, remark)


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
            cluster = EmbeddedSlurm(layout, running.workshop.cluster, running.workshop.port)
            # The hub first, so that nobody starts a server while we stop them.
            with step("hub"):
                supervisor.stop("hub")
            with step("notebook servers"):
                cluster.drain(lambda text: None)
            with step("cluster and proxy"):
                supervisor.stop_all(lambda text: None)
                cluster.remove_cgroups()
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
        os.environ["SLURM_CONF"] = str(layout.slurm_conf)
        try:
            capacity, jobs = asyncio.run(_ask(running))
        except SchedulerSilent as error:
            raise Stop(f"Slurm does not answer: {error}; see {layout.logs}/slurmctld.log") from None
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


async def _ask(running: Running):
    slurm = Slurm()
    return await slurm.capacity(running.workshop.profiles), await slurm.jobs(0)


if __name__ == "__main__":
    app()
