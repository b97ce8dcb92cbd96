"""A finished figure, and the course's colours."""

import io

from matplotlib.figure import Figure

SYNTHETIC_LABEL = "synthetic faces"
BLUE, RED, GREY = "#2b5fb3", "#c8312b", "#8a8a8a"


class Picture:
    """A finished figure: shown as an image by a notebook, or saved with `.figure.savefig`."""

    def __init__(self, figure: Figure):
        self.figure = figure

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=self.figure.dpi)
        return buffer.getvalue()
