import pytest

from hub.people import Person, read_people
from hub.problems import Problems


def read(tmp_path, text: str, encoding: str = "utf-8"):
    file = tmp_path / "attendees.csv"
    file.write_bytes(text.encode(encoding))
    return read_people(file)


@pytest.mark.parametrize("text", [
    "login,name,role\nada,Ada Été,attendee\nbob,Bob,instructor\n",
    "\ufefflogin;name;role\r\nada;Ada Été;\r\n\r\nbob;Bob;instructor\r\n",
    "Name, Login ,role\nAda Été, ada ,\nBob,bob,instructor",
])
def test_the_files_that_spreadsheets_write(tmp_path, text):
    assert read(tmp_path, text) == [Person("ada", "Ada Été"), Person("bob", "Bob", "instructor")]


def test_courses_are_names_between_blanks_and_none_means_all(tmp_path):
    everything, two, admin = read(tmp_path, "login,name,role,course\nada,Ada,,\nbob,Bob,,a  b\ndora,D,admin,a\n")
    assert (everything.courses, two.courses) == ((), ("a", "b"))
    assert everything.takes("c") and two.takes("b") and not two.takes("c") and admin.takes("c")


@pytest.mark.parametrize("text, said", [
    ("", "attendees.csv:1: expected the columns login, name, role, course, found none"),
    ("login,name,rolle\n", "attendees.csv:1: rolle: expected the columns"),
    ("login,name,role\n", "attendees.csv: names nobody"),
    ("login,name,role\nada,Ada,boss\n", "attendees.csv:2: role: 'boss': expected one of: attendee, instructor, admin"),
    ("login,name,role\nAda,Ada,\n", "attendees.csv:2: login: 'Ada': expected a small letter"),
    ("login,name,role;x\n", "attendees.csv:1: login,name,role: expected the columns"),
    ("login,name\n../etc,Ada\n", "attendees.csv:2: login: '../etc'"),
    ("login,name\nada,a:b\n", "attendees.csv:2: name: 'a:b': expected a name without"),
    ("login,name\nada,Ada\nbob,Bob\nada,Ada\n", "attendees.csv:4: login: 'ada' is already on line 2"),
    ("login,name\nada\n", "attendees.csv:2: 1 fields; expected 2: login, name"),
    ('login,name\nada,"Ada\n', "attendees.csv:2: is not CSV"),
])
def test_each_mistake_names_the_line_and_the_column(tmp_path, text, said):
    with pytest.raises(Problems) as error:
        read(tmp_path, text)
    assert said in str(error.value)


def test_latin_1_is_named_as_such(tmp_path):
    with pytest.raises(Problems, match="is not UTF-8 text; save it as CSV UTF-8"):
        read(tmp_path, "login,name\nada,Été\n", encoding="latin-1")
