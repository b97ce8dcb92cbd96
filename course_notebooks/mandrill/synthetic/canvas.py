"""A small painter's canvas in numpy: soft shapes, mixed one over another.

The picture is a float32 array of shape (3, R, R), RGB in 0 to 1. Shapes are given as
masks of shape (R, R) in 0 (outside) to 1 (inside); `x` and `y` are the coordinates of
every pixel in face units. Everything is float32: numpy's own scalars are float64 and
would double the cost, so numbers are turned into Python's floats first.
"""

import copy

import numpy as np
from PIL import Image


class Canvas:
    """An `R` x `R` picture whose pixels know where they lie on the face."""

    def __init__(self, pixels: int):
        self.pixels = pixels
        line = (np.arange(pixels, dtype=np.float32) + 0.5) / pixels * 2 - 1
        self.frame_x, self.frame_y = np.meshgrid(line, line)
        self.x, self.y = self.frame_x, self.frame_y
        self.pose = (1.0, 0.0, 0.0, 0.0)  # scaled cosine and sine, shift in x and y
        self.corner = (0, 0)              # column and row of this canvas in the whole picture
        self.rgb = np.zeros((3, pixels, pixels), np.float32)

    def place(self, roll: float, scale: float, dx: float, dy: float) -> None:
        """Turn (radians), size and shift the face in the frame; later shapes follow."""
        c, s = scale * float(np.cos(roll)), scale * float(np.sin(roll))
        x, y = (self.frame_x - dx) / scale**2, (self.frame_y - dy) / scale**2
        self.x, self.y = c * x + s * y, c * y - s * x
        self.pose = (c, s, dx, dy)

    def window(self, cx: float, cy: float, half_width: float, half_height: float) -> "Canvas":
        """The part of the canvas that holds this box of the face; painting there paints here.

        Small features are painted in a window, which costs a fraction of the whole canvas.
        """
        c, s, dx, dy = self.pose
        middle = (c * cx - s * cy + dx, s * cx + c * cy + dy)
        reach = (abs(c) * half_width + abs(s) * half_height, abs(s) * half_width + abs(c) * half_height)
        (left, right), (top, bottom) = (
            [min(max(int((m + side * r + 1) / 2 * self.pixels) + extra - start, 0), limit)
             for side, extra in ((-1, 0), (1, 1))]
            for m, r, start, limit in zip(middle, reach, self.corner, reversed(self.x.shape))
        )
        part = copy.copy(self)
        part.corner = (self.corner[0] + left, self.corner[1] + top)
        for name in ("x", "y", "frame_x", "frame_y"):
            setattr(part, name, getattr(self, name)[top:bottom, left:right])
        part.rgb = self.rgb[:, top:bottom, left:right]
        return part

    def paint(self, mask: np.ndarray, colour, opacity: float = 1.0) -> None:
        """Lay `colour` (three numbers or a (3, R, R) array) where `mask` says."""
        mask = mask * float(opacity)
        for channel, value in zip(self.rgb, colour):
            channel += mask * (np.asarray(value, np.float32) - channel)

    def shade(self, mask: np.ndarray, amount: float) -> None:
        """Darken (negative) or lighten (positive) where `mask` says."""
        self.rgb *= 1 + float(amount) * mask

    def ellipse(self, cx, cy, rx, ry, soft: float = 0.03) -> np.ndarray:
        """The mask of an ellipse; `soft` is the width of its blurred edge in face units."""
        x, y = (self.x - float(cx)) * (1 / float(rx)), (self.y - float(cy)) * (1 / float(ry))
        return inside((np.sqrt(x * x + y * y) - 1) * float(min(rx, ry)), soft)

    def spot(self, cx: float, cy: float, radius: float, colour, opacity: float = 1.0,
             aspect: float = 1.0, soft: float = 0.015) -> None:
        """Paint a small ellipse of width `radius` and height `radius * aspect`."""
        part = self.window(cx, cy, radius + soft, radius * aspect + soft)
        part.paint(part.ellipse(cx, cy, radius, radius * aspect, soft), colour, opacity)


def inside(distance: np.ndarray, soft: float) -> np.ndarray:
    """1 where `distance` is negative, 0 where positive, `soft` face units in between."""
    return np.clip(0.5 - distance * (1 / soft), 0, 1)


def ramp(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """From 0 at `low` to 1 at `high`, smoothly."""
    t = np.clip((value - float(low)) * (1 / float(high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def clouds(rng: np.random.Generator, pixels: int, cells: int) -> np.ndarray:
    """Smooth random noise of shape (pixels, pixels), about 0 with deviation 1; `cells` blobs a side."""
    grid = rng.normal(0, 1, (cells + 3, cells + 3)).astype(np.float32)
    picture = Image.fromarray(grid).resize((pixels, pixels), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.float32)
