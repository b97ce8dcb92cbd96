"""What `mandrillhub up` copies."""

from types import SimpleNamespace

from hub import courses, install
from hub.courses import Course
from hub.workshop import Workshop


def test_people_get_what_lies_beside_the_assignments_and_nothing_of_an_earlier_version(tmp_path):
    for name in ("a", "b"):
        notebook = tmp_path / f"{name}/source/ps1/ps1.ipynb"
        notebook.parent.mkdir(parents=True)
        notebook.touch()
    (tmp_path / "b/bonus").mkdir()
    (tmp_path / "b/bonus/more.ipynb").touch()
    layout = SimpleNamespace(course=tmp_path / "course")
    layout.course.mkdir()
    (layout.course / "03_with_solutions").mkdir()
    workshop = Workshop(courses=[{"name": name, "source": tmp_path / name / "source"} for name in "ab"])
    assert install.course(layout, workshop) is True
    assert [str(path.relative_to(layout.course)) for path in layout.course.rglob("*") if path.is_file()] == [
        "b/bonus/more.ipynb"]
    assert install.course(layout, workshop) is False


def test_our_own_is_handed_out_in_the_workshops_language(tmp_path):
    layout = SimpleNamespace(course=tmp_path / "course")
    for language, changed in (("en", True), ("fr", True), ("fr", False)):
        assert install.course(layout, Workshop(language=language)) is changed
    english = (courses.SOURCE.parent / "bonus/export.ipynb").read_text()
    assert (layout.course / "mandrill/bonus/export.ipynb").read_text() != english
    french = Course(name="mandrill").in_language("source", "fr", tmp_path)
    name = "00_prerequisites/prerequisites.ipynb"
    assert (french / name).read_text() != (courses.SOURCE / name).read_text()
