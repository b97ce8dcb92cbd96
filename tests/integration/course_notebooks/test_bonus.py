"""The bonus notebooks, run in the kernel that attendees use: nothing fails, and what they say is so."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytest.importorskip("nbgrader", reason="needs the notebook server's Python")

from .grading import SOURCE

BONUS = SOURCE.parent / "bonus"
CPU_SECONDS = 180  # of the kernel and its children: on a busy machine the clock would count the others' work
MEMORY_MB = 2000

pytestmark = pytest.mark.timeout(900)

#: What is asked of the kernel when a notebook has ended: an expression for a dictionary.
ASKED = {
    "physics_informed": """dict(rate=rate, true=growth.RATE, data_only=growth.errors(weighings, data_only),
        with_law=growth.errors(weighings, with_law), wrong_law=growth.errors(weighings, wrong_law))""",
    "face_generator": """dict(told=float(np.corrcoef(asked, guessed)[0, 1]), faces=made.shape,
        spread=float(made.std(axis=0).mean()), apart=float(torch.cdist(new_recipes, known).min()),
        blind=float(np.corrcoef(asked, judge(new_recipes[torch.randperm(200)]))[0, 1]))""",
    "export": """dict(difference=float(difference), files=folder.exists(), error=training.unseen[-1][1],
        runners=list(runners), note=note, times=[list(results.values()) for results in times.values()])""",
}


@pytest.fixture(scope="module")
def ended(course, tmp_path_factory):
    """By name: a notebook that ran, and what was asked of it. Each runs once."""
    done = {}

    def run(name: str):
        if name not in done:
            done[name] = _run(name, tmp_path_factory.mktemp(name))
        return done[name]

    return run


def _run(name: str, place: Path):
    notebook = nbformat.read(BONUS / f"{name}.ipynb", as_version=4)
    probe = nbformat.v4.new_code_cell(
        "import json, resource\n"
        "_used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]\n"
        "print(json.dumps(dict(cpu=sum(each.ru_utime + each.ru_stime for each in _used),\n"
        "    megabytes=int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) / 1000,\n"
        f"    **{ASKED[name]})))")
    notebook.cells.append(probe)
    NotebookClient(notebook, timeout=600, allow_errors=True, kernel_name="pytorch",
                   resources={"metadata": {"path": str(place)}}).execute()
    errors = {cell.id: f"{output.ename}: {output.evalue}" for cell in notebook.cells if cell.cell_type == "code"
              for output in cell.outputs if output.output_type == "error"}
    assert errors == {}
    return notebook, json.loads(printed(notebook, probe.id)), list(place.iterdir())


def printed(notebook, cell_id: str) -> str:
    (cell,) = [cell for cell in notebook.cells if cell.id == cell_id]
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_each_notebook_is_asked():
    assert {path.stem for path in BONUS.glob("*.ipynb")} == set(ASKED)


@pytest.mark.parametrize("name", ASKED)
def test_it_ends_in_time_with_figures_and_leaves_no_files(ended, name, record_property):
    notebook, said, left = ended(name)
    print(f"{name}: {said['cpu']:.0f} CPU seconds, {said['megabytes']:.0f} MB")
    record_property("cpu_seconds", round(said["cpu"]))
    record_property("megabytes", round(said["megabytes"]))
    assert said["cpu"] < CPU_SECONDS and said["megabytes"] < MEMORY_MB
    assert left == []
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3


def test_the_network_that_knows_the_law_is_right_where_there_are_no_data(ended):
    _, said, _ = ended("physics_informed")
    assert abs(said["rate"] / said["true"] - 1) < 0.1
    assert said["with_law"][0] < 0.2 and said["data_only"][0] < 0.2
    assert said["with_law"][1] < 0.2 * said["data_only"][1]
    # A wrong law fits the weighings nearly as well, and misleads elsewhere.
    assert said["wrong_law"][0] < 0.2 and said["wrong_law"][1] > 5 * said["with_law"][1]


def test_the_generator_makes_different_faces_of_the_age_asked_for(ended):
    _, said, _ = ended("face_generator")
    assert said["faces"] == [24, 56, 56, 3]
    assert said["told"] > 0.6 and abs(said["blind"]) < 0.3
    assert said["spread"] > 0.02
    assert said["apart"] > 0.3  # of the spread of the first ingredient: none is a photo


def test_the_exports_say_the_same_and_need_neither_the_code_nor_pytorch(ended):
    notebook, said, _ = ended("export")
    assert said["difference"] < 1e-4
    assert not said["files"]
    size = {name: int(kilobytes) for name, kilobytes in re.findall(r"(\S+) +(\d+) kB", printed(notebook, "export"))}
    assert set(size) == {"age.onnx", "age.pt", "age.pt2"} and all(300 < each < 1500 for each in size.values())
    here, *others = printed(notebook, "alone").splitlines()
    numbers = re.search(r"\[(.*?)\]", here)[1].split()
    assert [re.search(r"\[(.*?)\]", line)[1].split() for line in others] == [numbers, numbers]
    with_torch, with_onnx = (int(re.search(r"(\d+) MB", line)[1]) for line in others)
    assert with_onnx < with_torch / 2


def test_the_race_is_run_by_all_and_torch_compile_or_a_reason(ended):
    notebook, said, _ = ended("export")
    assert {"PyTorch as it is", "torch.export", "ONNX Runtime"} <= set(said["runners"])
    assert ("torch.compile" in said["runners"]) == said["note"].startswith("ready after")
    assert all(seconds > 0 for results in said["times"] for seconds in results)
    assert printed(notebook, "race").count("photos a second") == 2 * len(said["runners"])


@pytest.mark.parametrize("name", ASKED)
def test_the_source_is_clean_and_says_what_it_must(name):
    cells = nbformat.read(BONUS / f"{name}.ipynb", as_version=4).cells
    assert len({cell.id for cell in cells}) == len(cells)
    assert not any("nbgrader" in cell.metadata for cell in cells)
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells if cell.cell_type == "code")
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert "**You will be able to**" in prose[0] and "**Time:**" in prose[0]
    tries = [text for text in prose if re.search(r"^## .*Try it", text, re.MULTILINE)]
    assert tries and all("<summary>Hint</summary>" in text for text in tries)
