"""Grades of longer assignments equal nbgrader's own. One of `make test-long`; a short one is in test_grade.py."""

from tests.integration.grading.course import Course, check_equal


def test_data(platform):
    check_equal(Course(platform), "02_data")
