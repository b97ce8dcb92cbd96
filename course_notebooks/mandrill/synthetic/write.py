"""Write a synthetic set on disk: whole or not at all, the same bytes for the same seed.

    OUT/SYNTHETIC.json             the marker, with the parameters
    OUT/faces.csv                  in the layout of the public CSV
    OUT/Images/<Id>/<Photo_Name>   JPEG photos
"""

import csv
import json
import multiprocessing
import os
import shutil
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from ..cpus import job_cpus
from ..faces import MARKER, PUBLIC_COLUMNS
from .looks import draw_traits
from .photo import jpeg, take_photo
from .population import Row, draw_rows

DRAWING = 1  # raised when the same parameters give other pictures


@dataclass(frozen=True)
class Parameters:
    """What decides every byte of a set. `size` is the side of a photo in pixels."""

    photos: int = 3000
    individuals: int = 150
    size: int = 96
    seed: int = 2021

    def __post_init__(self):
        if self.individuals < 1 or self.photos < self.individuals:
            raise ValueError(f"{self.photos} photos can't show {self.individuals} individuals: "
                             "ask for at least one photo each")
        if not 16 <= self.size <= 1024:
            raise ValueError(f"size {self.size}: choose 16 to 1024 pixels")
        if self.seed < 0:
            raise ValueError(f"seed {self.seed}: choose 0 or more")


def draw_set(out: str | Path, parameters: Parameters = Parameters(), processes: int | None = None,
             progress: bool | None = None) -> bool:
    """Draw the set into the folder `out`; False if it is there already.

    The set is drawn beside `out` and renamed at the end, so `out` never holds half a
    set. `processes` defaults to the CPUs of this job; it does not change the result.
    `progress`: None shows a bar on a terminal only. Raises FileExistsError when `out`
    holds anything else.
    """
    out = Path(out).absolute()
    if _is_done(out, parameters):
        return False
    out.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(out)
    work = out.parent / f".{out.name}.drawing-{socket.gethostname()}-{os.getpid()}"
    try:
        _draw_into(work, parameters, processes or job_cpus(), progress)
        try:
            work.rename(out)
        except OSError:
            # Someone else drew it meanwhile: fine if it is the same set.
            if not _is_done(out, parameters):
                raise
            return False
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return True


def _is_done(out: Path, parameters: Parameters) -> bool:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    try:
        there = json.loads((out / MARKER).read_text())
    except (OSError, ValueError):
        raise FileExistsError(f"{out} exists and is not a synthetic set: choose another folder") from None
    wanted = _marker(parameters)
    if there != wanted:
        differs = ", ".join(f"{key} {there.get(key)} (wanted {value})"
                            for key, value in wanted.items() if there.get(key) != value)
        raise FileExistsError(f"{out} holds another synthetic set: {differs or 'other parameters'}. "
                              "Choose another folder, or remove this one first")
    return True


def _marker(parameters: Parameters) -> dict:
    return {"what": "synthetic mandrill faces, drawn by mandrill.synthetic: no real animal",
            "drawing": DRAWING, **asdict(parameters)}


def _draw_into(work: Path, parameters: Parameters, processes: int, progress: bool | None) -> None:
    rows = draw_rows(parameters.photos, parameters.individuals, parameters.seed)
    work.mkdir()
    _write_csv(work / "faces.csv", rows)
    for name in sorted({row.name for row in rows}):
        (work / "Images" / name).mkdir(parents=True)
    tasks = [(str(work), parameters, number, row) for number, row in enumerate(rows)]
    disable = None if progress is None else not progress
    with tqdm(total=len(tasks), desc="drawing faces", unit="photo", disable=disable) as bar:
        if processes == 1:
            for task in tasks:
                bar.update(_draw_photo(task))
        else:
            with multiprocessing.get_context("spawn").Pool(processes) as pool:
                for done in pool.imap_unordered(_draw_photo, tasks, chunksize=16):
                    bar.update(done)
    (work / MARKER).write_text(json.dumps(_marker(parameters), indent=2) + "\n")
    for path in (work, *work.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _write_csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(PUBLIC_COLUMNS)
        for row in rows:
            writer.writerow([row.name, row.photo, row.sex, f"{row.born:%d/%m/%Y}", f"{row.shot:%d/%m/%Y}",
                             row.view, row.quality])


def _draw_photo(task) -> int:
    """Draw one photo; its pixels depend on the seed and its row only."""
    work, parameters, number, row = task
    traits = draw_traits(np.random.default_rng([parameters.seed, 1, row.individual]), row.drawn_sex)
    rng = np.random.default_rng([parameters.seed, 2, number])
    day = np.random.default_rng([parameters.seed, 3, row.individual, row.shot.toordinal()])
    picture = take_photo(traits, row.age_years, row.view, row.quality, parameters.size, day, rng)
    Path(work, "Images", row.name, row.photo).write_bytes(jpeg(picture))
    return 1


def _remove_abandoned(out: Path) -> None:
    """Remove what an interrupted draw on this machine left beside `out`."""
    prefix = f".{out.name}.drawing-{socket.gethostname()}-"
    for folder in out.parent.glob(f".{out.name}.drawing-*"):
        process = folder.name.removeprefix(prefix)
        if process.isdigit() and not Path("/proc", process).exists():
            shutil.rmtree(folder, ignore_errors=True)
