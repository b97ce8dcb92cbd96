"""The course's nbgrader settings. nbgrader reads this file from the course's root folder."""

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "mandrill"
# Seconds a cell: training takes 60, more on a busy machine. nbgrader's own 30 would cost the points.
c.Execute.timeout = 180
