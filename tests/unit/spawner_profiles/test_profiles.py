from datetime import timedelta

import pytest
from pydantic import ValidationError

from spawner_profiles.profiles import Profile, Refused, choose
from spawner_profiles.profiles_spawner import job_options


def profile(**changes) -> Profile:
    return Profile(**{"key": "cpu", "title": "CPU notebook", "partition": "cpu"} | changes)


OFFERED = [profile(), profile(key="gpu", partition="gpu", gpus=1, cpus=2)]


def test_the_first_profile_is_the_default():
    assert choose(OFFERED, {}).key == "cpu"
    assert choose(OFFERED, {"profile": "gpu"}).key == "gpu"


@pytest.mark.parametrize("options, said", [
    ({"profile": "nope"}, "there is no profile 'nope'; choose one of: cpu, gpu"),
    ({"profile": ["cpu"]}, "no profile ['cpu']"),
    ({"profile": None}, "no profile None"),
    ({"profile": "cpu", "memory": "64000"}, "memory: cannot be chosen"),
    ({"partition": "gpu", "cmd": "sh"}, "cmd, partition: cannot be chosen"),
])
def test_whatever_no_profile_offers_is_refused_with_a_reason(options, said):
    with pytest.raises(Refused) as refused:
        choose(OFFERED, options)
    assert said in str(refused.value)


@pytest.mark.parametrize("text, hours", [("4h", 4), ("90m", 1.5), ("2d", 48), ("4:00:00", 4), ("1-02:30:00", 26.5)])
def test_walltime_as_people_and_slurm_write_it(text, hours):
    walltime = profile(walltime=text).walltime
    assert walltime == timedelta(hours=hours)
    assert Profile.model_validate_json(profile(walltime=text).model_dump_json()).walltime == walltime


@pytest.mark.parametrize("field, value", [
    ("walltime", 240), ("walltime", "4 hours"), ("memory", "2 gigs"), ("memory", 1), ("cpus", 0), ("gpus", -1),
    ("qos", "a b"), ("qos", "a,b"), ("account", "$(id)"), ("account", ""), ("reservation", "a\nb"),
    ("modules", "cuda"), ("modules", 12.4),
    ("key", "CPU 1"), ("partition", "a b"), ("title", ""), ("gpu_model", "RTX 2080"), ("unknown", 1),
])
def test_bad_values_are_mistakes(field, value):
    with pytest.raises(ValidationError) as error:
        profile(**{field: value, **({"gpus": 1} if field == "gpu_model" else {})})
    assert error.value.errors()[0]["loc"] == (field,)


def test_a_model_without_gpus_is_a_mistake():
    with pytest.raises(ValidationError, match="gpus is 0"):
        profile(gpu_model="a100")


def test_what_the_cards_show():
    shown = profile(memory="2G", walltime="90m")
    assert (shown.memory_text, shown.walltime_text) == ("2 GB", "1 h 30 min")
    assert profile(memory="512M").memory_text == "512 MB"


def test_a_profile_in_batchspawners_words():
    options = job_options(profile(cpus=3, memory="1G", walltime="2h"))
    assert options["req_nprocs"] == "3" and options["req_memory"] == "1024" and options["req_runtime"] == "120"
    assert options["req_gres"] == ""
    assert job_options(profile(gpus=2))["req_gres"] == "gpu:2"
    assert job_options(profile(gpus=1, gpu_model="a100"))["req_gres"] == "gpu:a100:1"


@pytest.mark.parametrize("name", ["cuda 12", "cuda;id", "$(id)", "-f", "", "a\nb", "../x", 12.4])
def test_bad_modules_are_mistakes_of_their_place_in_the_list(name):
    with pytest.raises(ValidationError) as error:
        profile(modules=["gcc/13.2", name])
    assert error.value.errors()[0]["loc"] == ("modules", 1)


def test_what_clusters_ask_for_in_batchspawners_words():
    options = job_options(profile(qos="lab", account="teach", reservation="day_1", modules=["cuda/12.4", "gcc"]))
    assert (options["req_qos"], options["req_account"], options["req_reservation"]) == ("lab", "teach", "day_1")
    assert options["req_modules"] == "cuda/12.4 gcc"
    assert [job_options(profile())[f"req_{key}"] for key in ("qos", "account", "reservation", "modules")] == [""] * 4
