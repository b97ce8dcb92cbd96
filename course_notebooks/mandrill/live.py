"""Watch a training: a progress bar and a curve that grow while it runs.

In a notebook the bar is a widget and the curve an image, redrawn at most twice a second
(less often where drawing is slow: it takes a twentieth of the time at most). When the
training ends, the bar is replaced by one line of text, so that the saved notebook reads
well everywhere. Outside a notebook (a script, a batch job) a text bar is shown instead.
"""

import time

import pandas as pd
from IPython import get_ipython
from IPython.display import display
from tqdm import tqdm

from .plots import BLUE, RED, Picture, new_figure

REDRAW_SECONDS = 0.5
DRAWING_SHARE = 0.05  # of the time, at most


class Live:
    """Follow a training on `faces` for `epochs` epochs of `batches` batches, `seconds` at most; errors are in `unit`.

        with Live(train, epochs=12, batches=len(batches)) as live:
            while live.goes_on():          # one epoch
                for photos, ages in batches:
                    ...
                    live.batch(error)      # years, on photos that it learns from
                live.epoch(error)          # years, on photos that it has never seen

    `live.progress` runs from 0 to 1, by epochs or by time, whichever is further: a slow
    machine does fewer epochs instead of keeping you waiting.
    """

    def __init__(self, faces: pd.DataFrame, epochs: int, batches: int, seconds: float = float("inf"),
                 unit: str = "years"):
        self.faces, self.epochs, self.batches, self.seconds, self.unit = faces, epochs, batches, seconds, unit
        self.done = 0                 # batches so far
        self.learning: list[tuple[float, float]] = []  # (epoch, error), a running mean
        self.unseen: list[tuple[float, float]] = []    # (epoch, error)
        self.start = time.monotonic()
        self._next_redraw = 0.0

    def __enter__(self) -> "Live":
        self.start = time.monotonic()
        self._screen = _NotebookScreen() if getattr(get_ipython(), "kernel", None) else _TextScreen()
        self._screen.open(self.epochs * self.batches)
        return self

    def __exit__(self, error, *_) -> None:
        self._redraw()
        epochs = self.done / self.batches
        word = "stopped after" if error or epochs < self.epochs else "done:"
        count = f"{epochs:.0f}" if epochs == round(epochs) else f"{epochs:.1f}"
        self._screen.close(f"{word} {count} epoch{'' if epochs == 1 else 's'} in {self.elapsed:.0f} s")

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    @property
    def progress(self) -> float:
        """From 0 at the start to 1 at the end."""
        return min(1.0, max(self.done / (self.epochs * self.batches), self.elapsed / self.seconds))

    def goes_on(self) -> bool:
        """Whether to begin another epoch: some are left, and one more is expected to fit in the time."""
        begun = self.done / self.batches
        if begun >= self.epochs:
            return False
        one_more = self.elapsed / begun if begun else 0
        return self.elapsed + 0.5 * one_more < self.seconds

    def batch(self, error: float) -> None:
        """One batch was learnt, with this mean error."""
        self.done += 1
        last = self.learning[-1][1] if self.learning else error
        self.learning.append((self.done / self.batches, 0.9 * last + 0.1 * error))
        now = time.monotonic()
        if now >= self._next_redraw:
            self._redraw()
            cost = time.monotonic() - now
            self._next_redraw = time.monotonic() + max(REDRAW_SECONDS, cost / DRAWING_SHARE)

    def epoch(self, error: float) -> None:
        """An epoch ended, with this mean error on photos never seen."""
        self.unseen.append((self.done / self.batches, error))

    def curve(self) -> Picture:
        """The errors so far, as a figure."""
        figure = new_figure(self.faces, 6.4, 3)
        axis = figure.subplots()
        for points, colour, marker, name in ((self.learning, BLUE, "", "photos it learns from"),
                                             (self.unseen, RED, "o", "individuals it has never seen")):
            if points:
                axis.plot(*zip(*points), color=colour, marker=marker, markersize=4, label=name)
        top = max((error for _, error in self.learning[self.batches // 4:] + self.unseen), default=1)
        axis.set(xlim=(0, self.epochs), ylim=(0, 1.1 * top), xlabel="epoch (each photo seen once more)",
                 ylabel=f"error ({self.unit})")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.spines[["top", "right"]].set_visible(False)
        if self.learning:
            axis.legend(frameon=False, fontsize=9)
        return Picture(figure)

    def _redraw(self) -> None:
        seen = f"epoch {min(self.epochs, int(self.done / self.batches) + 1)} of {self.epochs}"
        if self.unseen:
            seen += f", error {self.unseen[-1][1]:.2f} {self.unit}"
        self._screen.show(self.done, seen, self.curve)


class _NotebookScreen:
    """A widget above an image that is replaced in place."""

    def open(self, total: int) -> None:
        import ipywidgets

        self.bar = ipywidgets.IntProgress(max=total, layout={"width": "55%"})
        self.text = ipywidgets.Label()
        self.top = display(ipywidgets.HBox([self.bar, self.text]), display_id=True)
        self.image = None

    def show(self, done: int, text: str, curve) -> None:
        self.bar.value, self.text.value = done, text
        if self.image:
            self.image.update(curve())
        else:
            self.image = display(curve(), display_id=True)

    def close(self, summary: str) -> None:
        line = f"Training {summary}"
        self.top.update({"text/html": f"<p>{line}</p>", "text/plain": line}, raw=True)
        self.bar.close()
        self.text.close()


class _TextScreen:
    """A text bar on stderr, for scripts and batch jobs."""

    def open(self, total: int) -> None:
        self.bar = tqdm(total=total, desc="training", unit="batch", mininterval=REDRAW_SECONDS)

    def show(self, done: int, text: str, curve) -> None:
        self.bar.set_postfix_str(text, refresh=False)
        self.bar.update(done - self.bar.n)

    def close(self, summary: str) -> None:
        self.bar.close()
        print(f"Training {summary}")
