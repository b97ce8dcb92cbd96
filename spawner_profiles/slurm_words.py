"""What Slurm says of jobs, in words for people: why one waits, how it ended, why it was refused."""

from __future__ import annotations

import re

from spawner_profiles.words import N_, _

#: squeue's %r for a pending job, in words. The whole list: job_state_reason in Slurm's slurm.h, squeue(1).
WAITING = {
    "None": N_("the scheduler has not looked at it yet"),
    "Resources": N_("all nodes that fit are busy"),
    "Priority": N_("others are before you"),
    "Dependency": N_("it waits for another of your jobs to end"),
    "DependencyNeverSatisfied": N_("the job that it waits for has failed: cancel it"),
    "Reservation": N_("its reservation has not begun, or is full"),
    "ReservationDeleted": N_("its reservation is gone: cancel it and tell your instructor"),
    "ReqNodeNotAvail": N_("the nodes that fit are down or reserved"),
    "NodeDown": N_("a node that it needs is down"),
    "BadConstraints": N_("no node is as it asks for"),
    "PartitionDown": N_("this partition is closed at the moment"),
    "PartitionInactive": N_("this partition is closed at the moment"),
    "PartitionNodeLimit": N_("it asks for more nodes than the partition allows"),
    "PartitionTimeLimit": N_("it asks for more time than the partition allows"),
    "BeginTime": N_("it was put back and starts again in a moment"),
    # A server asks for no licence by itself: hub/embedded/templates/job_submit.lua.j2 makes one of each GPU.
    "Licenses": N_("you already hold as many GPUs as one person may: it starts when your other job has ended"),
    "JobHeldUser": N_("it is on hold"),
    "JobHeldAdmin": N_("an admin has put it on hold"),
    "Prolog": N_("its node is being prepared"),
    "Cleaning": N_("its last run is being cleaned up"),
    "InvalidAccount": N_("its account is not known to the cluster"),
    "InvalidQOS": N_("its QOS is not known to the cluster, or not yours"),
    "QOSUsageThreshold": N_("you or your group have used up the share of this QOS"),
    "launch failed requeued held": N_("its node could not start it, and it is on hold"),
}
#: Of limits there are some fifty, in families: beginnings of words, the longer first.
WAITING_FAMILIES = {
    "QOSMaxGRESPerUser": N_("you already hold as many GPUs as one person may"),
    "QOSMaxJobsPerUser": N_("you already have as many jobs as one person may"),
    "QOSMaxSubmitJobPerUser": N_("you already have as many jobs as one person may"),
    "QOSMaxGRES": N_("it asks for more GPUs than its QOS allows"),
    "QOSMax": N_("you already hold as much as this QOS gives one person"),
    "QOSGrpGRES": N_("all GPUs of this QOS are in use"),
    "QOSGrp": N_("all that this QOS may use is in use"),
    "QOSMinGRES": N_("it asks for fewer GPUs than its QOS demands"),
    "QOS": N_("its QOS does not allow it"),
    "AssocGrpGRES": N_("all GPUs of your group's account are in use"),
    "AssocGrp": N_("all that your group's account may use is in use"),
    "AssocMaxGRES": N_("it asks for more GPUs than your account allows"),
    "AssocMaxJobs": N_("you already have as many jobs as your account allows"),
    "AssocMax": N_("it asks for more than your account allows"),
    "AssociationJobLimit": N_("you already have as many jobs as your account allows"),
    "Association": N_("your account does not allow it"),
    "MaxGRESPerAccount": N_("all GPUs of your group's account are in use"),
    "Max": N_("your group's account holds as much as it may"),
}
#: How a job can end, in words.
ENDED = {
    "CANCELLED": N_("it was cancelled"),
    "TIMEOUT": N_("its time was over"),
    "OUT_OF_MEMORY": N_("it used more memory than its profile gives"),
    "NODE_FAIL": N_("its node failed"),
    "FAILED": N_("its script failed"),
    "BOOT_FAIL": N_("its node failed to start"),
    "PREEMPTED": N_("a job of higher priority took its place"),
    "COMPLETED": N_("it ended by itself"),
}
#: sbatch's words when slurmctld does not answer, or its answer is lost.
SILENT = re.compile(r"Unable to contact slurm controller|Socket timed out|gave no answer")


def waiting_words(reason: str) -> str:
    """squeue's %r of a pending job, in words."""
    word, _comma, rest = reason.strip("()").partition(",")
    if "reserved" in rest.lower():  # ReqNodeNotAvail, May be reserved for other job
        return _("its time would run into a reservation of the nodes that fit")
    known = WAITING.get(word) or next(
        (words for start, words in WAITING_FAMILIES.items() if word.startswith(start)), "")
    return _(known) or _("Slurm says {word}").format(word=word)


def ended_words(state: str) -> str:
    """squeue's %T of a job that has ended, in words."""
    return _(ENDED.get(state, "")) or state.lower()


def refusal(text: str) -> str:
    """sbatch's words, those of the cluster's own rules first and without Slurm's "Unspecified error" after them."""
    lines = [re.sub(r"^sbatch: (error: )?", "", line).strip() for line in text.splitlines()]
    return " ".join(line for line in lines if line and not line.endswith("failed: Unspecified error"))
