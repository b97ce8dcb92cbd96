"""A course folder, and nbgrader on it: release, submit, look at it as the attendee, grade."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config, PyFileConfigLoader

SOURCE = Path(__file__).parents[3] / "course_notebooks/source"
CELL_SECONDS = 180


def assignments() -> list[str]:
    """The assignments that have graded cells."""
    return [folder.name for folder in sorted(SOURCE.iterdir()) if any(map(points, cells(notebook_of(folder))))]


def notebook_of(folder: Path) -> Path:
    """The one notebook of an assignment."""
    (path,) = folder.glob("*.ipynb")
    return path


def cells(notebook: Path) -> list:
    return nbformat.read(notebook, as_version=4).cells


def is_solution(cell) -> bool:
    return cell.metadata.get("nbgrader", {}).get("solution", False)


def points(cell) -> float:
    """The most that a cell can earn; 0 for one that is not graded."""
    about = cell.metadata.get("nbgrader", {})
    return about["points"] if about.get("grade") else 0


def kernel_python() -> str:
    return KernelSpecManager().get_kernel_spec("pytorch").argv[0]


@dataclass
class Graded:
    """What nbgrader made of a submission: points by graded cell, and the last line of the error of each that failed."""

    scores: dict[str, float]
    waiting: set[str]  # cells that a person has to grade
    errors: dict[str, str]
    seconds: float


class Course:
    """One nbgrader course in a folder of its own."""

    def __init__(self, root: Path):
        self.root = root
        settings = SOURCE.parent / "nbgrader_config.py"
        config = PyFileConfigLoader(settings.name, str(settings.parent)).load_config()
        config.merge(Config({"CourseDirectory": {"root": str(root)}, "Exchange": {"root": str(root / "exchange")}}))
        self.api = NbGraderAPI(config=config)

    def release(self, assignment: str) -> Path:
        """The released notebook, made once."""
        folder = self.root / "release" / assignment
        if not folder.exists():
            shutil.copytree(SOURCE / assignment, self.root / "source" / assignment)
            _check(self.api.generate_assignment(assignment, force=True, create=True))
        return notebook_of(folder)

    def solved(self, assignment: str) -> dict[str, str]:
        """The source's solution of each exercise, by cell."""
        return {cell.id: cell.source for cell in cells(notebook_of(SOURCE / assignment)) if is_solution(cell)}

    def answered(self, assignment: str, answers: dict[str, str], quick: bool = False):
        """The released notebook with these answers in it; exercises that are not named stay as released.

        `quick` empties the code cells that only show something: no exercise needs more than the first one, the imports.
        """
        notebook = nbformat.read(self.release(assignment), as_version=4)
        if quick:
            shows = [cell for cell in notebook.cells if cell.cell_type == "code" and "nbgrader" not in cell.metadata]
            for cell in shows[1:]:
                cell.source = ""
        known = {cell.id: cell for cell in notebook.cells if is_solution(cell)}
        for id_, text in answers.items():
            known[id_].source = text
        return notebook

    def look(self, assignment: str, answers: dict[str, str], place: Path, quick: bool = False) -> dict[str, str]:
        """Run it as the attendee does, without the hidden tests: the error of each cell that failed."""
        notebook = self.answered(assignment, answers, quick)
        place.mkdir(parents=True, exist_ok=True)
        NotebookClient(notebook, timeout=CELL_SECONDS, allow_errors=True, kernel_name="pytorch",
                       resources={"metadata": {"path": str(place)}}).execute()
        return _errors(notebook)

    def grade(self, assignment: str, student: str, answers: dict[str, str], quick: bool = False) -> Graded:
        """Submit these answers, and let nbgrader grade them."""
        released = self.release(assignment)
        folder = self.root / "submitted" / student / assignment
        folder.mkdir(parents=True)
        nbformat.write(self.answered(assignment, answers, quick), folder / released.name)
        begin = time.monotonic()
        _check(self.api.autograde(assignment, student, force=True, create=True))
        seconds = time.monotonic() - begin
        graded = nbformat.read(self.root / "autograded" / student / assignment / released.name, as_version=4)
        with Gradebook(f"sqlite:///{self.root}/gradebook.db", "mandrill") as book:
            notebook = book.find_submission_notebook(released.stem, assignment, student)
            scores = {grade.name: grade.score for grade in notebook.grades}
            waiting = {grade.name for grade in notebook.grades if grade.needs_manual_grade}
        return Graded(scores, waiting, _errors(graded), seconds)


def _errors(notebook) -> dict[str, str]:
    return {cell.id: f"{output.ename}: {output.evalue}" for cell in notebook.cells if cell.cell_type == "code"
            for output in cell.outputs if output.output_type == "error"}


def _check(result: dict) -> None:
    assert result["success"], result.get("error") or result["log"]
