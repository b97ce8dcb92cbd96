"""What `mandrillhub up` copies."""

from types import SimpleNamespace

from hub import install


def test_homes_get_no_notebook_that_nbgrader_must_release_first(tmp_path):
    layout = SimpleNamespace(course=tmp_path / "course")
    assert install.course(layout) is True
    assert [path.name for path in layout.course.iterdir()] == ["03_regression"]
    assert install.course(layout) is False
