"""The reader of the Mandrillus Face Database."""

from datetime import date

import pytest

pytest.importorskip("torch", reason="needs the kernel's Python")

from mandrill import faces
from mandrill.dates import parse_date

PUBLIC = "Id,Photo_Name,Sex,dob,Shootdate,FaceView,FaceQual\n"
LOWER = "id,photo_name,sex,dob,shootdate,face_view,face_qual,parent_folder,error_dob\n"


def write(folder, text, name="table.csv", **options):
    path = folder / name
    path.write_text(text, **options)
    return path


def test_public_variant(tmp_path):
    table = write(tmp_path, PUBLIC + "102,a.jpg,f,04/07/2012,04/07/2014,1,3\n7,b.jpg,,2012/07/04,2012-07-05,2,0\n")
    rows = faces.read(table)
    assert rows["photo"].tolist() == [str(tmp_path / "Images/102/a.jpg"), str(tmp_path / "Images/7/b.jpg")]
    assert rows["sex"].tolist() == ["f", "unknown"]
    assert rows["age_years"].tolist() == pytest.approx([730 / 365.25, 1 / 365.25])
    assert rows["view"].tolist() == [1, 2] and rows["quality"].tolist() == [3, 0]
    assert rows["error_dob"].tolist() == [-1, -1]
    assert not rows["synthetic"].any()


def test_authors_variant_with_missing_values(tmp_path):
    table = write(tmp_path, LOWER + "102,a.jpg,m,2010-01-01,2014-07-04,1,#N/D,batch_3,12\n"
                                    "103,b.jpg,#N/D,#N/D,2014-07-04,1,2,batch_3,-1\n")
    rows = faces.read(table)
    assert rows["photo"].tolist() == [str(tmp_path / "Images/batch_3/102/a.jpg")]
    assert rows.loc[0, "quality"] == faces.UNKNOWN and rows.loc[0, "error_dob"] == 12
    assert rows.attrs["dropped"] == {"no date of birth or of the photo": 1, "negative age": 0}


def test_negative_ages_are_left_out_and_counted(tmp_path):
    table = write(tmp_path, PUBLIC + "1,a.jpg,f,02/01/2014,01/01/2014,1,3\n1,b.jpg,f,01/01/2014,01/01/2014,1,3\n")
    rows = faces.read(table)
    assert rows["age_years"].tolist() == [0.0]
    assert rows.attrs["dropped"]["negative age"] == 1


def test_semicolons_and_byte_order_mark(tmp_path):
    text = (PUBLIC + "102,a.jpg,f,04/07/2012,04/07/2014,1,3\n").replace(",", ";").replace("\n", "\r\n")
    table = write(tmp_path, text, encoding="utf-8-sig", newline="")
    assert faces.read(table)["individual"].tolist() == ["102"]


@pytest.mark.parametrize("text, day", [
    ("04/07/2014", date(2014, 7, 4)), ("4/7/2014", date(2014, 7, 4)), ("2014/07/04", date(2014, 7, 4)),
    ("2014-07-04", date(2014, 7, 4)), ("2014-07-04 00:00:00", date(2014, 7, 4)),
    ("2014-07-04T10:30:00Z", date(2014, 7, 4)),
    (" 31/12/2014 ", date(2014, 12, 31)),
])
def test_date_formats(text, day):
    assert parse_date(text) == day


@pytest.mark.parametrize("text", ["07/24/2014", "2014", "4 July 2014", "30/02/2014", "14/07/04", "2014-07-04 noon"])
def test_what_is_not_a_date(text):
    with pytest.raises(ValueError, match="is not a date"):
        parse_date(text)


@pytest.mark.parametrize("line, column, words", [
    ("1,a.jpg,f,07/24/2014,01/01/2015,1,3", "dob", "07/24/2014"),
    ("1,a.jpg,f,01/01/2014,soon,1,3", "Shootdate", "soon"),
    ("1,a.jpg,x,01/01/2014,01/01/2015,1,3", "Sex", "not a sex"),
    ("1,a.jpg,f,01/01/2014,01/01/2015,front,3", "FaceView", "front"),
    ("1,a.jpg,f,01/01/2014,01/01/2015,1,2.5", "FaceQual", "2.5"),
    ("1,,f,01/01/2014,01/01/2015,1,3", "Photo_Name", "is empty"),
    ("../..,a.jpg,f,01/01/2014,01/01/2015,1,3", "Id", "part of a path"),
])
def test_a_bad_value_is_named_with_file_line_and_column(tmp_path, line, column, words):
    table = write(tmp_path, PUBLIC + "1,ok.jpg,f,01/01/2014,01/01/2015,1,3\n" + line + "\n")
    with pytest.raises(faces.DataError) as error:
        faces.read(table)
    assert f"{table}, line 3, column {column}: " in str(error.value) and words in str(error.value)


def test_a_line_cut_short_is_named(tmp_path):
    table = write(tmp_path, PUBLIC + "1,a.jpg,f\n")
    with pytest.raises(faces.DataError, match="line 2: 3 values, but 7 columns"):
        faces.read(table)


def test_a_missing_column_is_named(tmp_path):
    table = write(tmp_path, "Id,Photo_Name,Sex,dob,FaceView,FaceQual\n")
    with pytest.raises(faces.DataError, match="line 1: no column Shootdate; found Id"):
        faces.read(table)


def test_no_row_left(tmp_path):
    with pytest.raises(faces.DataError, match="no photo with a known age"):
        faces.read(write(tmp_path, PUBLIC + "1,a.jpg,f,#N/D,01/01/2014,1,3\n"))


def test_finding_the_data(tmp_path, monkeypatch):
    monkeypatch.delenv(faces.VARIABLE, raising=False)
    with pytest.raises(faces.DataError, match=r"MANDRILL_DATA is not set.*python -m mandrill.synthetic"):
        faces.find()
    with pytest.raises(faces.DataError, match="nowhere is not a folder"):
        faces.find(tmp_path / "nowhere")
    with pytest.raises(faces.DataError, match="no CSV"):
        faces.find(tmp_path)
    write(tmp_path, "name,age\n", "other.csv")
    table = write(tmp_path, PUBLIC)
    monkeypatch.setenv(faces.VARIABLE, str(tmp_path))
    assert faces.find() == table == faces.find(table)
    write(tmp_path, LOWER, "second.csv")
    with pytest.raises(faces.DataError, match=r"several tables.*second.csv, table.csv"):
        faces.find()


def test_only_the_synthetic_set_says_so(tmp_path, photos):
    assert faces.is_synthetic(photos)
    real = faces.read(write(tmp_path, PUBLIC + "1,a.jpg,f,01/01/2014,01/01/2015,1,3\n"))
    assert not faces.is_synthetic(real)
