"""OAR's output, as OAR 2.5.9 printed it (shortened to what is read), and what reaches oarsub and the shell."""

import asyncio
import getpass
import subprocess
from types import SimpleNamespace

import pytest

from spawner_profiles.jobs import Phase, SchedulerSilent, SubmitRefused
from spawner_profiles.oar import Oar
from spawner_profiles.oar_job import OarJobSpawner
from spawner_profiles.oar_records import parse_jobs
from spawner_profiles.oar_resources import Properties, capacity_of, fits, holder, up, wanted
from spawner_profiles.oar_submit import PLAIN_PATH, SILENT, header_options, job_file, refusal
from spawner_profiles.profiles import Profile
from spawner_profiles.profiles_spawner import job_options

NOW = 1795260730
BASE = {
    "owner": "ada", "name": "mandrillhub/0f3c", "queue": "default", "state": "Running", "resubmit_job_id": 0,
    "command": "/home/ada/.mandrillhub/job-0f3c", "message": "R=1,W=0:10:0,J=B,N=jup (Karma=0.000,quota_ok)",
    "assigned_network_address": [], "assigned_resources": [], "events": [], "exit_code": None,
    "scheduledStart": None, "stopTime": 0, "types": [],
}


def record(**known):
    events = [{"type": name, "date": date} for name, date in known.pop("events", ())]
    return BASE | known | {"events": events}


RECORDS = {
    "6": record(assigned_network_address=["oarn-gpu2"], scheduledStart=1795260705),
    "7": record(state="Waiting", scheduledStart=1795261307),
    "8": record(state="Waiting", scheduledStart=1795261307, owner="bela"),
    "9": record(state="Error", stopTime=1795260723, events=[
        ("FRAG_JOB_REQUEST", 1795260722), ("WALLTIME", 1795260722), ("SEND_KILL_JOB", 1795260722),
        ("SWITCH_INTO_ERROR_STATE", 1795260723)]),
    "10": record(state="Terminated", exit_code=768, events=[("SWITCH_INTO_TERMINATE_STATE", 1795260708)]),
    "11": record(state="Terminated", exit_code=32512),
    "12": record(state="Error", message="Job killed by Leon directly", events=[("FRAG_JOB_REQUEST", 1795260600)]),
    "13": record(state="Error", queue="besteffort", events=[
        ("BESTEFFORT_KILL", 1795260705), ("FRAG_JOB_REQUEST", 1795260705), ("SEND_KILL_JOB", 1795260705)]),
    "14": record(state="Waiting", queue="besteffort", message="R=1,W=0:10:0,J=B"),
    "15": record(state="Waiting", message="R=1,W=0:10:0,J=B (Karma=0.000,quota_ok)"),
    "16": record(state="Launching", assigned_network_address=["oarn-gpu1"]),
    "17": record(state="Running", events=[("FRAG_JOB_REQUEST", 1795260722)]),
    "18": record(state="Terminated", exit_code=0),
    "19": record(state="Hold"),
}


def test_phases_places_and_reasons_in_words():
    jobs, current = parse_jobs(RECORDS, NOW)
    assert current == {job_id: job_id for job_id in RECORDS}
    assert jobs["6"].phase is Phase.RUNNING and jobs["6"].node == "oarn-gpu2" and jobs["6"].expected_start is None
    assert [jobs[i].position for i in ("7", "8", "15", "14", "6", "16")] == [1, 2, 3, 1, None, None]
    assert jobs["7"].reason == "all nodes that fit are busy" and jobs["7"].expected_start == 1795261307
    assert jobs["8"].reason == "others are before you" and jobs["8"].user == "bela"
    assert jobs["14"].reason == "the scheduler has not looked at it yet" and jobs["14"].partition == "besteffort"
    assert jobs["15"].reason == "the nodes that fit are down or reserved"
    assert jobs["16"].phase is Phase.PENDING and jobs["16"].reason == "its node is being prepared"
    assert jobs["19"].phase is Phase.PENDING and jobs["19"].reason == "it is on hold"
    assert jobs["17"].phase is Phase.ENDING


@pytest.mark.parametrize("job_id, reason", [
    ("9", "its time was over"), ("10", "its script failed"), ("11", "its script failed"), ("12", "it was cancelled"),
    ("13", "a job of higher priority took its place"), ("18", "it ended by itself"),
])
def test_why_a_job_ended(job_id, reason):
    job = parse_jobs(RECORDS, NOW)[0][job_id]
    assert job.phase is Phase.ENDED and job.reason == reason


def test_why_a_job_waits_that_its_owner_or_its_reservation_holds_back():
    jobs, _ = parse_jobs({
        "30": record(types=["gpus_of_a_person"]),
        "31": record(state="Waiting", types=["gpus_of_a_person"], scheduledStart=NOW + 60),
        "32": record(state="Waiting", types=["gpus_of_a_person"], scheduledStart=NOW + 60, owner="bela"),
        "33": record(state="Waiting", types=["inner=5"],
                     message="No enough matching resources (no_matching_slot)"),
    }, NOW)
    assert [jobs[job_id].reason for job_id in ("31", "32", "33")] == [
        "you already hold as much as one person may", "others are before you",
        "its reservation does not last as long, or has no such node"]


FAILED = record(state="Error", stopTime=NOW - 2, events=[("CPUSET_ERROR", NOW - 2)])


def test_a_job_that_oar_submits_again_is_the_one_that_we_know():
    again = record(state="Error", resubmit_job_id=20, events=[("PING_CHECKER_NODE_SUSPECTED", NOW - 1)])
    third = record(resubmit_job_id=21, assigned_network_address=["oarn2"])
    jobs, current = parse_jobs({"20": FAILED, "21": again, "22": third}, NOW)
    assert current == {"20": "22"}
    assert jobs["20"].id == "20" and jobs["20"].phase is Phase.RUNNING and jobs["20"].node == "oarn2"
    # The first has left the list.
    assert parse_jobs({"21": again, "22": third}, NOW)[1] == {"20": "22"}


def test_a_job_that_oar_is_about_to_submit_again_has_not_ended():
    assert parse_jobs({"20": FAILED}, NOW)[0]["20"].phase is Phase.ENDING
    late = parse_jobs({"20": FAILED}, NOW + 60)[0]["20"]
    assert late.phase is Phase.ENDED and late.reason == "its node failed"


def test_nobody_takes_over_the_id_of_another_persons_job():
    mine, theirs = record(), record(owner="eve", resubmit_job_id=30)
    jobs, current = parse_jobs({"30": mine, "31": theirs}, NOW)
    assert current == {"30": "30", "31": "31"} and jobs["30"].user == "ada"


def resource(number, node, **known):
    return {"resource_id": number, "network_address": node, "core": number, "state": "Alive", "type": "default",
            "drain": "NO", "mem": 4096, "gpu": None, "gpu_model": None, **known}


RESOURCES = up({str(each["resource_id"]): each for each in [
    resource(1, "n1"), resource(2, "n1"), resource(3, "n2", mem=16384), resource(4, "n2", mem=16384),
    resource(5, "g1", gpu=1, gpu_model="A100"), resource(6, "g1", gpu=1, gpu_model="A100"),
    resource(7, "g2", gpu=2, gpu_model="RTX 2080 Ti"), resource(8, "g2", gpu=3, gpu_model="RTX 2080 Ti"),
    resource(9, "n3", state="Suspected"), resource(10, "n3", state="Absent"), resource(11, "n4", drain="YES"),
    resource(12, "lan", type="kavlan")]})


@pytest.mark.parametrize("asked, free, total", [
    ({"cpus": 1}, 3, 4),
    ({"cpus": 2}, 1, 2),
    ({"cpus": 3}, 0, 0),
    ({"cpus": 1, "memory": "8G"}, 2, 2),
    ({"gpus": 1}, 2, 3),
    ({"gpus": 2}, 1, 1),
    ({"gpus": 1, "gpu_model": "a100"}, 0, 1),
    ({"gpus": 1, "gpu_model": "rtx_2080_ti"}, 2, 2),
    ({"gpus": 1, "gpu_model": "v100"}, 0, 0),
])
def test_what_would_start_now(asked, free, total):
    """One core of n1 has a job, and one of the two cores of g1's only GPU: that GPU is taken."""
    profile = Profile(key="p", title="P", partition="default", **asked)
    assert (fits(RESOURCES, profile, {1, 6}), fits(RESOURCES, profile, set())) == (free, total)


@pytest.mark.parametrize("asked, resources, properties", [
    ((2, 512, 0), "/nodes=1/core=2", "(gpu_model IS NULL OR gpu_model IN ('', 'none'))"),
    ((2, 512, 1), "/nodes=1/gpu=1", "gpu_model NOT IN ('', 'none')"),
    ((2, 512, 2, "tesla_v100"), "/nodes=1/gpu=2", "lower(gpu_model) LIKE 'tesla_v100'"),
])
def test_what_is_asked_of_oarsub(asked, resources, properties):
    assert wanted(*asked) == (resources, f"{properties} AND (mem IS NULL OR mem >= 512)")


def test_a_site_has_names_of_its_own_for_properties():
    """Grid'5000: memnode, and an empty gpu_model on nodes without."""
    names = Properties(memory="memnode")
    nodes = [resource(1, "n1", memnode=8192, gpu_model=""), resource(2, "n2", memnode=1024, gpu_model="none"),
             resource(3, "g1", memnode=8192, gpu=1, gpu_model="A100-PCIE-40GB")]
    cpu = Profile(key="c", title="C", partition="default", cpus=1, memory=2048)
    gpu = Profile(key="g", title="G", partition="default", gpus=1, gpu_model="a100_pcie_40gb")
    assert [fits(nodes, each, set(), names) for each in (cpu, gpu)] == [1, 1]
    assert wanted(1, 2048, 0, "", names)[1].endswith("AND (memnode IS NULL OR memnode >= 2048)")


def test_a_site_without_such_properties_is_not_asked_for_them():
    none = Properties(memory=None, gpu_model=None)
    assert wanted(2, 512, 0, "", none) == ("/nodes=1/core=2", "")
    profile = Profile(key="c", title="C", partition="default", cpus=1, memory=2048)
    assert fits([{"resource_id": 1, "network_address": "n1", "core": 1}], profile, set(), none) == 1


def test_who_is_in_whose_way():
    """A besteffort job is in nobody's way but another's; a container's nodes are for those inside."""
    jobs = [holder(number, {"state": "Running", "types": types, "assigned_resources": taken})
            for number, types, taken in (("7", ["besteffort"], [5]), ("8", ["container"], [1, 2]),
                                         ("9", ["inner=8"], [1]))]
    jobs.append(holder("10", {"state": "Waiting", "types": ["container"], "assigned_resources": [],
                              "reserved_resources": {"3": {}, "4": {}}}))

    def ask(**asked):
        found = capacity_of(RESOURCES, jobs, Profile(key="p", title="P", partition="default", **asked), Properties())
        return found.free, found.total
    gpu = {"gpus": 1, "gpu_model": "a100"}
    assert ask(**gpu) == (1, 1) and ask(**gpu, besteffort=True) == (0, 1)
    assert ask(cpus=1) == (2, 4)
    assert ask(cpus=1, reservation="8") == (1, 2)
    assert ask(cpus=1, reservation="10") == (0, 2), "it has not begun"
    assert ask(cpus=1, reservation="99") == (0, 0)


@pytest.mark.parametrize("asked, types", [
    ({}, []), ({"besteffort": True}, ["besteffort"]), ({"reservation": "12"}, ["inner=12"])])
def test_a_profile_becomes_types_of_the_job(asked, types):
    profile = Profile(key="p", title="P", partition="default", **asked)
    spawner = OarJobSpawner(user=SimpleNamespace(name=getpass.getuser()), req_mark="m", req_keepvars="",
                            **job_options(profile))
    script = asyncio.run(spawner._get_batch_script(**spawner.get_req_subvars(), headline="x", cmd="x", logfile="x"))
    assert [value for option, value in header_options(script) if option == "-t"] == types


def test_options_come_from_the_head_of_a_script_alone():
    script = ("#!/bin/bash\n#OAR -n mandrillhub/1\n# a comment\n#OAR -p gpu_model IS NULL AND mem >= 5\n"
              "set -eu\necho x\n#OAR -l /nodes=99\n")
    assert header_options(script) == [("-n", "mandrillhub/1"), ("-p", "gpu_model IS NULL AND mem >= 5")]


@pytest.mark.parametrize("value", ["$(touch pwned)", "`touch pwned`", "'; touch pwned; '", 'a"b\\', "two\nlines",
                                   "\n#OAR -l /nodes=99\n", "", "ünï ¢ode", "-n", "*"])
def test_a_value_reaches_the_job_as_it_is(tmp_path, value):
    path = tmp_path / "a job"
    path.write_text(job_file("#!/bin/bash\n#OAR -n x\nset -eu\nprintf '%s|' \"$V\"", str(path),
                             {"V": value, "X;touch pwned": "1", "A B": "2"}))
    done = subprocess.run(["bash", str(path)], cwd=tmp_path, capture_output=True, text=True, check=True, env={})
    assert done.stdout == value + "|" and done.stderr == ""
    assert not list(tmp_path.iterdir()), "the file deletes itself, and nothing else was made"
    assert header_options(job_file("#!/bin/bash\n#OAR -n x\ntrue\n", "/x", {"V": value})) == [("-n", "x")]


@pytest.mark.parametrize("said, words", [
    ("[ADMISSION RULE] Modify resource description with type constraints\nThere are not enough resources for your "
     "request\nOAR_JOB_ID=-5\n[ERROR] Oarsub failed, please verify your request syntax.\n",
     "There are not enough resources for your request"),
    ("[ADMISSION RULE] Modify resource description with type constraints\nERROR : The queue nope does not exist\n",
     "ERROR : The queue nope does not exist"),
    ("[ADMISSION RULE] Error: 2 GPUs asked for, and one person may have 1\n\nOAR_JOB_ID=-2\n",
     "2 GPUs asked for, and one person may have 1"),
    ("OAR_JOB_ID=\n[ERROR] Oarsub failed, please verify your request syntax.\n", ""),
])
def test_a_refusal_in_oars_words(said, words):
    assert refusal(said) == words and not SILENT.search(said)


@pytest.mark.parametrize("answer", [
    (25, "", "DB connection error, exiting.\n"), (1, "", "oarstat gave no answer in 30 s"), (0, "not JSON", "")])
def test_silence_is_never_an_empty_list(monkeypatch, answer):
    async def say(*_, **__):
        return answer

    monkeypatch.setattr("spawner_profiles.oar.run_command", say)
    with pytest.raises(SchedulerSilent, match=r"\w"):
        asyncio.run(Oar().list_jobs())


def test_a_named_servers_log_is_a_plain_path():
    class Named(OarJobSpawner):
        name = "a 'b' $(c)/d\n#OAR -l /nodes=9"

    log = Named(user=SimpleNamespace(name="ada")).req_logfile
    assert PLAIN_PATH.fullmatch(log) and log.startswith(".mandrillhub-server-a_")


@pytest.mark.parametrize("script", ["#!/bin/bash\n#OAR -O a'b\ntrue\n", "#!/bin/bash\n#OAR -E $(x)\ntrue\n"])
def test_a_path_that_oars_shells_would_act_on_is_refused(monkeypatch, script):
    async def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr("spawner_profiles.oar.run_command", never)
    with pytest.raises(SubmitRefused, match="path"):
        asyncio.run(Oar().submit(script, getpass.getuser(), {}))
