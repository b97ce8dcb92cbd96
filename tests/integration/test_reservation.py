"""The day's reservation on a real Slurm: an attendee's job starts, another account's waits and is told why."""

import os
from datetime import datetime, timedelta

import pytest

from hub.embedded import reservation
from hub.workshop import Reservation
from spawner_profiles.slurm import parse_queue
from tests.integration.embedded import accounts, instance, until


@pytest.fixture(scope="module")
def people():
    with accounts() as names:
        yield names


@pytest.fixture(scope="module")
def one(people):
    with instance(24000, people[:1]) as each:
        yield each


def day(starts_in, lasts=timedelta(hours=8)):
    start = datetime.now().replace(microsecond=0) + starts_in
    return Reservation(start=start, end=start + lasts)


def reason(one, job):
    """What the waiting page says."""
    text = one.run(None, "squeue", "-h", "--states=all", "-j", job, "-o", "%i|%u|%T|%P|%N|%S|%r").stdout
    return parse_queue(text)[job].reason


SOON = "its time would run into a reservation"


@pytest.mark.parametrize("starts_in", [timedelta(minutes=5), timedelta(minutes=-5)], ids=["before", "within"])
def test_the_nodes_are_for_the_workshops_people(one, people, starts_in):
    ours, theirs = people
    assert reservation.keep(one.slurm, day(starts_in), [ours]) == "reserved for 1 people"
    mine = one.sbatch(ours, "sleep 600", "--time=60")
    other = one.sbatch(theirs, "sleep 600", "--time=60")
    until(lambda: one.state(mine) == "RUNNING")
    until(lambda: SOON in reason(one, other), what=lambda: reason(one, other))
    assert one.state(other) == "PENDING"
    short = one.sbatch(theirs, "true", "--time=2")
    if starts_in > timedelta(0):  # it ends before the day begins
        assert one.ended(short) == "COMPLETED"
    else:
        until(lambda: SOON in reason(one, short), what=lambda: reason(one, short))
    # Taken out of workshop.yml while a job of it runs: that job goes on, and the others start.
    assert reservation.keep(one.slurm, None, [ours]) == "reservation removed"
    until(lambda: one.state(other) == "RUNNING", 90)
    assert one.state(mine) == "RUNNING"
    for job in (mine, other, short):
        one.run(None, "scancel", job)
        one.ended(job)
    until(lambda: reservation.keep(one.slurm, None, []) == "", 90)


def test_only_what_changed_is_changed(one, people):
    ours, theirs = people
    planned = day(timedelta(hours=1))
    shown = lambda: one.run(None, "scontrol", "show", "reservation", "-o").stdout  # noqa: E731
    assert reservation.keep(one.slurm, planned, [ours]) == "reserved for 1 people"
    assert reservation.keep(one.slurm, planned, [ours]) == ""
    assert reservation.keep(one.slurm, planned, [theirs, ours]) == "reservation changed"
    assert f"Users={','.join(sorted(people))} " in shown()
    later = Reservation(start=planned.start + timedelta(minutes=30), end=planned.end + timedelta(minutes=30))
    assert reservation.keep(one.slurm, later, people) == "reservation changed"
    assert f"StartTime={later.start.isoformat()} EndTime={later.end.isoformat()} " in shown()
    one.daemons.restart("slurmctld")
    one.up()
    assert reservation.keep(one.slurm, later, people) == ""
    over = Reservation(start=later.start - timedelta(days=2), end=later.end - timedelta(days=2))
    assert reservation.keep(one.slurm, over, people) == "reservation removed"
    assert reservation.keep(one.slurm, over, people) == ""


def test_what_slurm_refuses_is_told(one):
    with pytest.raises(reservation.Stop, match=r"Slurm refused the reservation: .*[Uu]ser"):
        reservation.keep(one.slurm, day(timedelta(hours=1)), [f"nobody-of-that-name-{os.getpid()}"])
