"""Of the course whose submissions are hostile: tests/integration/grading/test_grade.py."""

c = get_config()  # noqa: F821

c.Execute.timeout = 4
