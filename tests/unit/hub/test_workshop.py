from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.problems import Problems
from hub.workshop import Workshop, load

DEFAULTS = Path(__file__).parents[3] / "hub/defaults/workshop.yml"


def mistakes(tmp_path, text: str, **overrides) -> list[str]:
    file = tmp_path / "workshop.yml"
    file.write_text(text)
    with pytest.raises(Problems) as error:
        load(file, **overrides)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in error.value.problems]


def test_an_empty_file_is_a_workshop_that_runs(tmp_path):
    file = tmp_path / "workshop.yml"
    file.touch()
    workshop, people = load(file)
    assert workshop == Workshop()
    assert {person.role for person in people} == {"attendee", "instructor"}


def test_the_file_that_people_start_from_says_what_the_defaults_are():
    assert load(DEFAULTS)[0] == Workshop()


def test_overrides_replace_what_the_file_says(tmp_path):
    file = tmp_path / "workshop.yml"
    file.write_text("port: 8000\ncluster: {cpu_nodes: 2, node_cpus: 4}\n")
    workshop, _ = load(file, port=9000, cpu_nodes=3, gpu_nodes=None)
    assert (workshop.port, workshop.cluster.cpu_nodes, workshop.cluster.node_cpus) == (9000, 3, 4)
    assert "expected" in mistakes(tmp_path, "port: 8000\n", port=80)[0]


@pytest.mark.parametrize("text, said", [
    ("title: X\nprot: 1\n", "workshop.yml:2: prot: unknown key, did you mean 'port'"),
    ("cluster:\n  cpu_nodes: many\n", "workshop.yml:2: cluster.cpu_nodes: 'many': expected a valid integer"),
    ("cluster:\n  gpu_nodes:\n    - {model: a100}\n    - {model: A 100}\n",
     "workshop.yml:4: cluster.gpu_nodes[1].model: 'A 100': "),
    ("limits:\n  queue_wait: soon\n", "workshop.yml:2: limits.queue_wait: 'soon': expected"),
    ("grading:\n  cpus: 99\n", "workshop.yml:2: grading.cpus: 99 CPUs fit on no node; expected at most 16"),
    ("grading: {partition: night}\n", "workshop.yml:1: grading.partition: no partition 'night' in this cluster"),
    ("grading: {account: grader-mandrill}\n", "grading.account: 'grader-mandrill' is a course's; expected one that"),
    ("profiles:\n  - {key: a, title: A}\n", "workshop.yml:2: profiles[0].partition: is missing"),
    ("profiles:\n  - key: a\n    title: A\n    partition: gpuu\n",
     "workshop.yml:4: profiles[0].partition: no partition 'gpuu' in this cluster; expected one of: cpu, gpu"),
    ("cluster: {gpu_nodes: []}\nprofiles:\n  - {key: a, title: A, partition: gpu}\n",
     "workshop.yml:3: profiles[0].partition: no partition 'gpu' in this cluster; expected one of: cpu"),
    ("profiles:\n  - {key: a, title: A, partition: cpu}\n  - {key: a, title: B, partition: cpu}\n",
     "workshop.yml:3: profiles[1].key: 'a' is used twice"),
    ("profiles:\n  - {key: a, title: A, partition: gpu, gpus: 1, gpu_model: v100}\n",
     "workshop.yml:2: profiles[0].gpu_model: no GPU node has a 'v100'; expected one of: a100, rtx2080ti"),
    ("profiles:\n  - {key: a, title: A, partition: cpu, cpus: 64}\n",
     "workshop.yml:2: profiles[0].cpus: 64 CPUs fit on no node; expected at most 16"),
    ("profiles:\n  - {key: a, title: A, partition: cpu, memory: 99G}\n",
     "workshop.yml:2: profiles[0].memory: 101376 MB fit on no node"),
    ("profiles:\n  - {key: a, title: A, partition: gpu, gpus: 3}\n",
     "workshop.yml:2: profiles[0].gpus: 3 GPUs are on no node; expected at most 2"),
    ("limits: {gpus: 2}\ncluster:\n  gpu_nodes: [{model: t4, gpus: 4}]\nprofiles:\n"
     "  - {key: a, title: A, partition: gpu, gpus: 3}\n",
     "workshop.yml:5: profiles[0].gpus: 3 GPUs are more than one person may hold; expected at most 2 (limits.gpus)"),
    ("profiles:\n  - {key: a, title: A, partition: cpu, qos: lab}\n",
     "workshop.yml:2: profiles[0].qos: the embedded cluster has no accounting"),
    ("profiles:\n  - key: a\n    title: A\n    partition: cpu\n    modules: [gcc, 'x;id']\n",
     "workshop.yml:5: profiles[0].modules[1]: 'x;id': "),
    ("profiles:\n  - {key: a, title: A, partition: cpu, modules: cuda}\n",
     "workshop.yml:2: profiles[0].modules: 'cuda': expected a list such as [cuda/12.4]"),
    ("reservation: {start: 2026-11-24T09:00}\n", "workshop.yml:1: reservation.end: is missing"),
    ("reservation:\n  start: 2026-11-24T09:00\n  end: 2026-11-24T08:00\n",
     "workshop.yml:3: reservation.end: '2026-11-24T08:00': expected a time after the start, 2026-11-24T09:00"),
    ("reservation:\n  start: tomorrow\n  end: 2026-11-24T08:00\n",
     "workshop.yml:2: reservation.start: 'tomorrow': expected a date and a time of this machine"),
    ("data:\n  mandrillus: /nowhere\n", "workshop.yml:2: data.mandrillus: '/nowhere' is no directory; expected"),
    ("courses:\n  - mandrill\n  - Vision 2\n", "workshop.yml:3: courses[1].name: 'Vision 2': "),
    ("courses: [mandrill, mandrill]\n", "courses[1].name: 'mandrill' is there twice"),
    ("courses: [mandrill, vision]\n", "workshop.yml:1: courses[1]: 'vision' has no source; expected the folder"),
    ("courses:\n  - name: mandrill\n    source: /nowhere\n",
     "workshop.yml:3: courses[0].source: '/nowhere' is no directory; expected"),
    ("courses:\n  - name: mandrill\n    source: /etc/ssl\n", "courses[0].source: '/etc/ssl' holds no assignment"),
    ("courses:\n  - name: mandrill\n    hold_back:\n      - 03_regresion\n",
     "workshop.yml:4: courses[0].hold_back[0]: no assignment '03_regresion'; expected one of: 00_prerequisites"),
    ("courses:\n  - {name: mandrill, acount: x}\n", "workshop.yml:2: courses[0].acount: unknown key, did you mean"),
    ("profiles: []\n", "workshop.yml:1: profiles: "),
    ("a: [\n", "workshop.yml:2: is not YAML"),
    ("- a\n", "workshop.yml:1: expected keys such as"),
    ("attendees: gone.csv\n", "gone.csv: cannot be read: No such file or directory; expected a CSV file"),
])
def test_each_mistake_names_file_line_field_and_what_was_expected(tmp_path, text, said):
    found = mistakes(tmp_path, text)
    assert len(found) == 1 and said in found[0], found


@pytest.mark.parametrize("line, said", [
    ("ada,Ada,,mandril", "attendees.csv:2: course: no course 'mandril'; expected one or several of: mandrill"),
    ("grader-mandrill,Ada,,", "attendees.csv:2: login: 'grader-mandrill' is the account of the course mandrill"),
])
def test_people_must_fit_the_courses(tmp_path, line, said):
    (tmp_path / "attendees.csv").write_text(f"login,name,role,course\n{line}\n")
    found, = mistakes(tmp_path, "")
    assert said in found


def test_a_course_has_an_account_and_a_source_beside_workshop_yml(tmp_path):
    (tmp_path / "vision/ps1").mkdir(parents=True)
    (tmp_path / "vision/ps1/ps1.ipynb").touch()
    file = tmp_path / "workshop.yml"
    file.write_text("courses: [mandrill, {name: vision, source: vision}]\n")
    workshop, _ = load(file)
    assert [course.account for course in workshop.courses] == ["grader-mandrill", "grader-vision"]
    assert workshop.courses[1].folder == tmp_path / "vision" and workshop.courses[1].assignments == ["ps1"]
    assert Workshop.model_validate_json(workshop.model_dump_json()) == workshop


def test_all_mistakes_are_told_at_once(tmp_path):
    assert len(mistakes(tmp_path, "port: x\nlanguage: xx\ntitel: X\n")) == 3


def test_times_and_sizes(tmp_path):
    file = tmp_path / "workshop.yml"
    file.write_text("limits: {queue_wait: 30m}\ncluster: {node_memory: 8G}\n")
    workshop, _ = load(file)
    assert workshop.limits.queue_wait == timedelta(minutes=30) and workshop.cluster.node_memory == 8192


@pytest.mark.parametrize("start", ["2026-11-24T09:00", "2026-11-24 09:00:00", "'2026-11-24 09:00'"])
def test_a_reservation_is_in_this_machines_time(tmp_path, start):
    file = tmp_path / "workshop.yml"
    file.write_text(f"reservation: {{start: {start}, end: 2026-11-24T17:00}}\n")
    workshop, _ = load(file)
    assert workshop.reservation.start == datetime(2026, 11, 24, 9) and workshop.reservation.end.hour == 17
    assert Workshop.model_validate_json(workshop.model_dump_json()) == workshop


@pytest.mark.parametrize(("text", "place", "words"), [
    ("kernels:\n  - pytorch\n  - sceintific\n", (3, "kernels[1]"), "expected one of: pytorch, scientific"),
    ("kernels: [pytorch,\n  {name: pytorch, image: true}]\n", (2, "kernels[1]"), "there twice"),
    ("kernels: [scientific]\n", (1, "kernels"), "'pytorch' is missing"),
    ("kernels:\n  - {name: pytorch, imgae: true}\n", (2, "kernels[0].imgae"), "did you mean 'image'"),
])
def test_a_mistake_in_kernels_is_named(tmp_path, text, place, words):
    file = tmp_path / "workshop.yml"
    file.write_text(text)
    with pytest.raises(Problems) as caught:
        load(file)
    problem, = caught.value.problems
    assert (problem.line, problem.field) == place and words in problem.message


def test_a_kernel_is_a_name_or_says_more(tmp_path):
    file = tmp_path / "workshop.yml"
    file.write_text("kernels: [pytorch, {name: scientific, image: true}]\n")
    assert [(kernel.name, kernel.image) for kernel in load(file)[0].kernels] == [
        ("pytorch", False), ("scientific", True)]
    file.write_text("")
    assert [(kernel.name, kernel.image) for kernel in load(file)[0].kernels] == [("pytorch", False)]


def test_submitted_notebooks_get_what_the_first_profile_without_gpus_has(tmp_path):
    file = tmp_path / "workshop.yml"
    file.write_text("cluster: {node_cpus: 1}\nprofiles:\n  - {key: g, title: G, partition: gpu, gpus: 1}\n"
                    "  - {key: c, title: C, partition: cpu, memory: 1G}\ngrading: {walltime: 10m}\n")
    workshop, _ = load(file)
    profile = workshop.grading.profile(workshop)
    assert (profile.partition, profile.cpus, profile.memory, profile.walltime_text) == ("cpu", 1, 1024, "10 min")
