"""What Slurm says of jobs, in words for people: why one waits, how it ended, why it was refused."""

from __future__ import annotations

import re

#: squeue's %r for a pending job, in words. The whole list: job_state_reason in Slurm's slurm.h, squeue(1).
WAITING = {
    "None": "the scheduler has not looked at it yet",
    "Resources": "all nodes that fit are busy",
    "Priority": "others are before you",
    "Dependency": "it waits for another of your jobs to end",
    "DependencyNeverSatisfied": "the job that it waits for has failed: cancel it",
    "Reservation": "its reservation has not begun, or is full",
    "ReservationDeleted": "its reservation is gone: cancel it and tell your instructor",
    "ReqNodeNotAvail": "the nodes that fit are down or reserved",
    "NodeDown": "a node that it needs is down",
    "BadConstraints": "no node is as it asks for",
    "PartitionDown": "this partition is closed at the moment",
    "PartitionInactive": "this partition is closed at the moment",
    "PartitionNodeLimit": "it asks for more nodes than the partition allows",
    "PartitionTimeLimit": "it asks for more time than the partition allows",
    "BeginTime": "it was put back and starts again in a moment",
    # A server asks for no licence by itself: hub/embedded/templates/job_submit.lua.j2 makes one of each GPU.
    "Licenses": "you already hold as many GPUs as one person may: it starts when your other job has ended",
    "JobHeldUser": "it is on hold",
    "JobHeldAdmin": "an admin has put it on hold",
    "Prolog": "its node is being prepared",
    "Cleaning": "its last run is being cleaned up",
    "InvalidAccount": "its account is not known to the cluster",
    "InvalidQOS": "its QOS is not known to the cluster, or not yours",
    "QOSUsageThreshold": "you or your group have used up the share of this QOS",
    "launch failed requeued held": "its node could not start it, and it is on hold",
}
#: Of limits there are some fifty, in families: beginnings of words, the longer first.
WAITING_FAMILIES = {
    "QOSMaxGRESPerUser": "you already hold as many GPUs as one person may",
    "QOSMaxJobsPerUser": "you already have as many jobs as one person may",
    "QOSMaxSubmitJobPerUser": "you already have as many jobs as one person may",
    "QOSMaxGRES": "it asks for more GPUs than its QOS allows",
    "QOSMax": "you already hold as much as this QOS gives one person",
    "QOSGrpGRES": "all GPUs of this QOS are in use",
    "QOSGrp": "all that this QOS may use is in use",
    "QOSMinGRES": "it asks for fewer GPUs than its QOS demands",
    "QOS": "its QOS does not allow it",
    "AssocGrpGRES": "all GPUs of your group's account are in use",
    "AssocGrp": "all that your group's account may use is in use",
    "AssocMaxGRES": "it asks for more GPUs than your account allows",
    "AssocMaxJobs": "you already have as many jobs as your account allows",
    "AssocMax": "it asks for more than your account allows",
    "AssociationJobLimit": "you already have as many jobs as your account allows",
    "Association": "your account does not allow it",
    "MaxGRESPerAccount": "all GPUs of your group's account are in use",
    "Max": "your group's account holds as much as it may",
}
#: How a job can end, in words.
ENDED = {
    "CANCELLED": "it was cancelled",
    "TIMEOUT": "its time was over",
    "OUT_OF_MEMORY": "it used more memory than its profile gives",
    "NODE_FAIL": "its node failed",
    "FAILED": "its script failed",
    "BOOT_FAIL": "its node failed to start",
    "PREEMPTED": "a job of higher priority took its place",
    "COMPLETED": "it ended by itself",
}
#: sbatch's words when slurmctld does not answer, or its answer is lost.
SILENT = re.compile(r"Unable to contact slurm controller|Socket timed out|gave no answer")


def waiting_words(reason: str) -> str:
    """squeue's %r of a pending job, in words."""
    word, _, rest = reason.strip("()").partition(",")
    if "reserved" in rest.lower():  # ReqNodeNotAvail, May be reserved for other job
        return "its time would run into a reservation of the nodes that fit"
    return WAITING.get(word) or next((words for start, words in WAITING_FAMILIES.items() if word.startswith(start)),
                                     f"Slurm says {word}")


def refusal(text: str) -> str:
    """sbatch's words, those of the cluster's own rules first and without Slurm's "Unspecified error" after them."""
    lines = [re.sub(r"^sbatch: (error: )?", "", line).strip() for line in text.splitlines()]
    return " ".join(line for line in lines if line and not line.endswith("failed: Unspecified error"))
