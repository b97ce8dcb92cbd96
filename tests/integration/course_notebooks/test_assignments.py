"""Each assignment, as nbgrader sees it: solved, as released, half solved, and with each wrong answer."""

from itertools import zip_longest

import pytest

pytest.importorskip("nbgrader", reason="needs the notebook server's Python")

from . import wrong_answers
from .grading import SOURCE, assignments, cells, is_solution, notebook_of, points

HIDDEN = "### BEGIN HIDDEN TESTS"
#: A notebook computes for less than this.
SECONDS = 180

pytestmark = [pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore:Object of type")]


@pytest.fixture(params=assignments())
def assignment(request) -> str:
    return request.param


def graded_cells(assignment):
    """(cells that nbgrader grades, cells that a person grades)."""
    there = [cell for cell in cells(notebook_of(SOURCE / assignment)) if points(cell)]
    return ({cell.id: cell for cell in there if not is_solution(cell)},
            {cell.id: cell for cell in there if is_solution(cell)})


def exercise_of(assignment) -> dict[str, str]:
    """The exercise that each test cell tests: the nearest solution cell above it."""
    last, found = None, {}
    for cell in cells(notebook_of(SOURCE / assignment)):
        if is_solution(cell):
            last = cell.id
        elif points(cell):
            found[cell.id] = last
    return found


def test_the_source_earns_all_points(course, assignment, record_property):
    tests, by_hand = graded_cells(assignment)
    graded = course.grade(assignment, "solved", course.solved(assignment))
    print(f"{assignment}: graded in {graded.seconds:.1f} s")
    record_property("seconds", round(graded.seconds, 1))
    assert graded.errors == {}
    assert {id_: graded.scores[id_] for id_ in tests} == {id_: points(cell) for id_, cell in tests.items()}
    assert graded.waiting == set(by_hand)
    assert graded.seconds < SECONDS


def test_the_released_version_fails_exactly_the_exercises(course, assignment, tmp_path):
    tests, by_hand = graded_cells(assignment)
    text = course.release(assignment).read_text()
    assert "HIDDEN TESTS" not in text and "SOLUTION" not in text
    errors = course.look(assignment, {}, tmp_path)
    exercises = set(course.solved(assignment)) - set(by_hand)
    assert set(errors) >= set(tests)
    assert set(errors) - set(tests) <= exercises
    graded = course.grade(assignment, "untouched", {}, quick=True)
    assert set(graded.scores.values()) == {0}
    assert not graded.waiting


def test_half_of_it_earns_half(course, assignment):
    tests, by_hand = graded_cells(assignment)
    solved = course.solved(assignment)
    exercises = [id_ for id_ in solved if id_ not in by_hand]
    done = exercises[::2]
    graded = course.grade(assignment, "half", {id_: solved[id_] for id_ in done}, quick=True)
    exercise = exercise_of(assignment)
    expected = {id_: points(cell) if exercise[id_] in done else 0 for id_, cell in tests.items()}
    assert {id_: graded.scores[id_] for id_ in tests} == expected
    assert 0 < sum(expected.values()) < sum(map(points, tests.values()))


def test_each_wrong_answer_costs_its_points_and_no_others(course, assignment, tmp_path):
    tests, _ = graded_cells(assignment)
    solved = course.solved(assignment)
    by_exercise = {}
    for wrong in wrong_answers.of(assignment):
        by_exercise.setdefault(wrong.exercise, []).append(wrong)
    # Exercises do not depend on one another, so that one run tries a wrong answer to each.
    for number, together in enumerate(zip_longest(*by_exercise.values())):
        together = [wrong for wrong in together if wrong]
        answers = solved | {wrong.exercise: wrong.answer for wrong in together}
        seen = course.look(assignment, answers, tmp_path / str(number), quick=True)
        graded = course.grade(assignment, f"wrong-{number}", answers, quick=True)
        failed = {id_ for id_ in tests if graded.scores[id_] == 0}
        assert failed == {id_ for wrong in together for id_ in wrong.shown | wrong.hidden}, graded.errors
        assert set(seen) & set(tests) == {id_ for wrong in together for id_ in wrong.shown}, seen


def test_each_hidden_test_has_its_wrong_answer(assignment):
    tests, _ = graded_cells(assignment)
    hidden = {id_ for id_, cell in tests.items() if HIDDEN in cell.source}
    assert hidden == {id_ for wrong in wrong_answers.of(assignment) for id_ in wrong.hidden}
    exercises = {exercise_of(assignment)[id_] for id_ in tests}
    assert exercises == {wrong.exercise for wrong in wrong_answers.of(assignment)}


def test_the_source_is_clean_and_says_what_it_must(assignment):
    there = cells(notebook_of(SOURCE / assignment))
    assert len({cell.id for cell in there}) == len(there)
    for cell in there:
        about = cell.metadata.get("nbgrader")
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None, cell.id
        if about:
            assert about["grade_id"] == cell.id
    prose = "\n".join(cell.source for cell in there if cell.cell_type == "markdown")
    assert "**You will be able to**" in prose and "**Time:**" in prose
    exercises = [cell for cell in there if is_solution(cell)]
    assert prose.count("<summary>Hint</summary>") == prose.count("**Exercise ") == len(exercises)
