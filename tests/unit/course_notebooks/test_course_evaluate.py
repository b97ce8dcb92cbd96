import re
import subprocess
import sys

import pytest

pytest.importorskip("pandas", reason="needs the kernel's Python")

import numpy as np
from mandrill import evaluate
from mandrill.faces import DataError

YEAR = 365.25


def written(tmp_path, text: str, encoding: str = "utf-8"):
    file = tmp_path / "predictions.csv"
    file.write_bytes(text.encode(encoding))
    return file


@pytest.fixture
def table(tmp_path):
    """Three photos: errors of 1, 2 and 3 years; individual a at 1 and 5 years, b at 20."""
    rows = [(2, 1, "a"), (3, 5, "a"), (23, 20, "b")]
    lines = [f"{predicted * YEAR},{true * YEAR},{individual},x.jpg\n" for predicted, true, individual in rows]
    return written(tmp_path, "y_pred,y_true,id,photo_path\n" + "".join(lines))


def test_errors_are_in_years_and_by_individual(table):
    predictions = evaluate.read(table)
    assert predictions["predicted"].tolist() == [2, 3, 23] and predictions["true"].tolist() == [1, 5, 20]
    animals = evaluate.mae_by_individual(predictions)
    assert animals.to_dict("list") == {"individual": ["b", "a"], "photos": [1, 2], "mae": [3.0, 1.5]}


def test_the_report_stands_beside_baselines_and_the_published_table(table):
    said = evaluate.report(evaluate.read(table))
    assert "3 photos of 2 individuals" in said
    assert re.search(r"^these predictions +2\.000 +0\.594$", said, re.M)
    true = np.array([1, 5, 20])
    assert re.search(rf"^always the mean age +{np.abs(true - true.mean()).mean():.3f} +3\.420$", said, re.M)
    assert re.search(rf"^always the median age +{np.abs(true - 5).mean():.3f} +-$", said, re.M)
    assert re.search(r"^1-2 +1 +1\.000 +0\.240$", said, re.M) and re.search(r"^16\+ +1 +3\.000 +2\.290$", said, re.M)
    assert re.search(r"^2-3 +0 +- +0\.380$", said, re.M)
    assert re.search(r"^mean of individuals +2\.250$", said, re.M) and re.search(r"^  b +1 +3\.000$", said, re.M)
    assert re.search(r"^  0-30 +25503 +283 +0\.594 +3\.420$", said, re.M) and "in years?" not in said


@pytest.mark.parametrize("text", [
    "y_pred;y_true;id;photo_path\n730,5;365,25;é;a.jpg\n",
    "\ufeffy_pred;y_true;id;photo_path\r\n730.5;365.25;é;a.jpg\r\n\r\n",
    "\ufeffphoto_path,ID,y_true,other,y_pred\n\"a,b.jpg\",é,365.25,?,730.5\n",
    "y_pred\ty_true\tid\tphoto_path\n730.5\t365.25\té\ta.jpg\n",
])
def test_separators_marks_and_decimal_commas_are_understood(tmp_path, text):
    predictions = evaluate.read(written(tmp_path, text))
    assert predictions[["predicted", "true", "individual"]].to_numpy().tolist() == [[2.0, 1.0, "é"]]


@pytest.mark.parametrize(("text", "words"), [
    ("", r"predictions.csv, line 1: expected the columns y_pred, .* in: nothing"),
    ("y_pred,age,id,photo_path\n1,2,a,b\n", r", line 1: .*no single y_true in: y_pred, age, id, photo_path"),
    ("y_pred,y_true,id,y_pred,photo_path\n1,2,a,3,b\n", r", line 1: .*no single y_pred"),
    ("y_pred,y_true,id,photo_path\n", r"no prediction below the header"),
    ("y_pred,y_true,id,photo_path\n1,2,a,b\n\nold,2,a,b\n", r", line 4, column y_pred: 'old' is not a number"),
    ("y_pred,y_true,id,photo_path\n1,nan,a,b\n", r", line 2, column y_true: 'nan' is not a number"),
    ("y_pred,y_true,id,photo_path\n1,,a,b\n", r", line 2, column y_true: '' is not a number"),
    ("y_pred,y_true,id,photo_path\n1,-3,a,b\n", r", line 2, column y_true: -3 is no mandrill's age"),
    ("y_pred,y_true,id,photo_path\n1,1e6,a,b\n", r", line 2, column y_true: 1e6 is no mandrill's age"),
    ("y_pred,y_true,id,photo_path\n1,2, ,b\n", r", line 2, column id: is empty"),
    ("y_pred,y_true,id,photo_path\n1,5,2,a,b\n", r", line 2: 5 values, but 4 columns; a decimal comma needs ';'"),
])
def test_a_mistake_is_named_with_file_line_and_column(tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        evaluate.read(written(tmp_path, text))


def test_a_file_of_other_text_or_none_is_told(tmp_path):
    with pytest.raises(DataError, match=r"predictions.csv, line 2: is not UTF-8"):
        evaluate.read(written(tmp_path, "y_pred,y_true,id,photo_path\n1,2,é,b\n", "latin-1"))
    with pytest.raises(DataError, match=r"none.csv: can't be read \(No such file"):
        evaluate.read(tmp_path / "none.csv")


def test_ages_in_years_are_suspected(tmp_path):
    file = written(tmp_path, "y_pred,y_true,id,photo_path\n1,2,a,b\n3,20,b,c\n")
    assert "Are they in years?" in evaluate.report(evaluate.read(file))


def test_the_command(table, tmp_path):
    def run(*words):
        return subprocess.run([sys.executable, "-m", "mandrill.evaluate", *words], capture_output=True, text=True)

    result = run(table)
    assert result.returncode == 0 and "these predictions" in result.stdout
    result = run(tmp_path / "none.csv")
    assert result.returncode == 1 and "none.csv: can't be read" in result.stderr and "Traceback" not in result.stderr
    result = run()
    assert result.returncode == 2 and "predictions.csv" in result.stderr
