"""A folder to practise the shell in, and a way for a notebook's checks to run a script that a person wrote."""

import shutil
import subprocess
from pathlib import Path

_MARKER = ".mandrill-practice"
_UNTOUCHED = "raise NotImplementedError()"  # where an answer belongs, nbgrader puts this
_PHOTOS = ("one.jpg", "two.jpg", "2014/three.jpg", "2014/four.jpg", "2014/five.jpg", "2015/june/six.jpg",
           "2015/june/seven.jpg")
_OTHERS = {"photos/notes.txt": "one.jpg is blurred\n", "data/faces.csv": "Id,Photo_Name\n1,one.jpg\n",
           "home/ada/course/todo.txt": "read the data\n",
           "keys/id_mandrill": "a stand-in for a private key: nobody could log in with it\n",
           "keys/id_mandrill.pub": "a stand-in for a public key\n"}


def make(folder: str | Path = "practice") -> Path:
    """Make the folder anew, and return its absolute path. Raises FileExistsError rather than remove another's."""
    folder = Path(folder).absolute()
    if folder.exists():
        if not (folder / _MARKER).exists():
            raise FileExistsError(f"{folder} exists and is no practice folder: rename it, then run this cell again")
        shutil.rmtree(folder)
    texts = _OTHERS | {f"photos/{name}": "" for name in _PHOTOS} | {_MARKER: ""}
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for name in ("id_mandrill", "id_mandrill.pub"):
        (folder / "keys" / name).chmod(0o644)
    return folder


def run(script: str | Path, *arguments: object, seconds: float = 10) -> str:
    """What a bash script prints, without the blanks around it.

    Raises AssertionError where there is no script yet, with the script's own message when it fails, or when it runs for
    longer than ``seconds``.
    """
    if not Path(script).is_file():
        raise AssertionError(f"there is no {script} yet: run the cell above, whose first line is %%writefile {script}")
    if _UNTOUCHED in Path(script).read_text(errors="replace"):
        raise AssertionError(f"{script} holds no answer yet: put your own lines in place of {_UNTOUCHED}, "
                             "and run that cell again")
    try:
        result = subprocess.run(["bash", str(script), *map(str, arguments)], capture_output=True, text=True,
                                timeout=seconds, stdin=subprocess.DEVNULL, errors="replace")
    except FileNotFoundError:
        raise AssertionError("there is no bash on this machine; on Windows, run this notebook in WSL") from None
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{script} still runs after {seconds:g} s") from None
    if result.returncode:
        raise AssertionError(f"{script} failed ({result.returncode}): {result.stderr.strip() or 'it says nothing'}")
    return result.stdout.strip()
