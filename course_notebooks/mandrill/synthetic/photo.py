"""Take a photo: a face under pose, light, blur, occlusion and before a background.

None of these depends on age: they are what a model must learn to look past.
"""

import io

import numpy as np
from PIL import Image, ImageFilter

from .canvas import Canvas, clouds
from .face import paint_face
from .looks import Traits, look_at

OVERSAMPLE = 2  # drawn larger and reduced, for smooth edges
JPEG_QUALITY = 92


def take_photo(traits: Traits, age_years: float, view: int, quality: int, size: int,
               day: np.random.Generator, rng: np.random.Generator) -> Image.Image:
    """A `size` x `size` RGB photo of `traits` at `age_years`.

    `view` is 1 for a frontal face, anything else turns the head; `quality` runs from
    0 (blurred, half hidden) to 3 (sharp). `day` draws what the photos of one meeting
    share (the place and its light), `rng` the rest.
    """
    look = look_at(traits, age_years)
    canvas = Canvas(size * OVERSAMPLE)
    _background(canvas, day)
    yaw = float(rng.normal(0, 0.22)) if view == 1 else float(rng.choice([-1, 1]) * rng.uniform(0.65, 1.0))
    canvas.place(roll=float(rng.normal(0, 0.12)), scale=look.head * float(np.exp(rng.normal(-0.03, 0.09))),
                 dx=float(rng.normal(0, 0.07)) - 0.05 * yaw, dy=float(rng.normal(0, 0.07)))
    _shoulders(canvas, look, rng)
    paint_face(canvas, look, min(max(yaw, -1.0), 1.0), rng)
    if rng.random() < (0.75, 0.35, 0.08, 0.0)[quality]:
        _leaf(canvas, rng)
    _light(canvas, day, rng)
    pixels = np.clip(canvas.rgb.transpose(1, 2, 0) * 255 + 0.5, 0, 255).astype(np.uint8)
    picture = Image.fromarray(pixels)
    blur = (0.020, 0.011, 0.005, 0.0015)[quality] * rng.uniform(0.7, 1.2) * canvas.pixels
    picture = picture.filter(ImageFilter.GaussianBlur(blur)).reduce(OVERSAMPLE)
    grain = rng.normal(0, (9, 6, 4, 2.5)[quality], (size, size, 1)).astype(np.float32)
    return Image.fromarray(np.clip(np.asarray(picture, np.float32) + grain, 0, 255).astype(np.uint8))


def jpeg(picture: Image.Image) -> bytes:
    """The photo as the bytes of a JPEG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def _background(canvas, rng) -> None:
    """Forest out of focus: greens and browns, a trunk now and then."""
    leaf = np.array([rng.uniform(0.10, 0.34), rng.uniform(0.24, 0.46), rng.uniform(0.08, 0.24)])
    earth = np.array([rng.uniform(0.25, 0.50), rng.uniform(0.20, 0.38), rng.uniform(0.12, 0.26)])
    level = np.clip(0.5 + 0.5 * canvas.frame_y * rng.uniform(0.2, 1.0) + 0.25 * clouds(rng, canvas.pixels, 3), 0, 1)
    light = 1 + 0.14 * clouds(rng, canvas.pixels, 5) + 0.09 * clouds(rng, canvas.pixels, 11)
    for c in range(3):
        canvas.rgb[c] = (leaf[c] + (earth[c] - leaf[c]) * level) * light
    if rng.random() < 0.4:
        at, half = rng.uniform(-1, 1), rng.uniform(0.06, 0.2)
        trunk = np.clip(1.5 - np.abs(canvas.frame_x - at - 0.15 * canvas.frame_y) / half, 0, 1)
        canvas.paint(trunk, earth * 0.5, 0.8)


def _shoulders(canvas, look, rng) -> None:
    texture = 1 + 0.07 * clouds(rng, canvas.pixels, 40)
    body = canvas.ellipse(rng.normal(0, 0.06), 1.15, 0.86, 0.75, soft=0.12)
    canvas.paint(body, [c * 0.72 * texture for c in look.fur])


def _leaf(canvas, rng) -> None:
    """A leaf or branch in front of the face."""
    angle = rng.uniform(0, 2 * np.pi)
    cx, cy = 0.8 * np.cos(angle), 0.8 * np.sin(angle)
    turn = rng.uniform(0, np.pi)
    x, y = canvas.frame_x - cx, canvas.frame_y - cy
    a, b = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    length, width = rng.uniform(0.5, 0.8), rng.uniform(0.10, 0.22)
    blade = np.clip((width * (1 - (a / length) ** 2) - np.abs(b)) / 0.03, 0, 1)
    green = np.array([rng.uniform(0.2, 0.4), rng.uniform(0.4, 0.6), rng.uniform(0.1, 0.25)])
    canvas.paint(blade, [c * (1 - 0.25 * (np.abs(b) < 0.012)) for c in green], 0.95)


def _light(canvas, day, rng) -> None:
    """Direction and colour of the day's light; the exposure of each photo."""
    angle, slope = day.uniform(0, 2 * np.pi), day.uniform(0, 0.45)
    across, down = slope * float(np.cos(angle)), slope * float(np.sin(angle))
    canvas.rgb *= 1 + across * canvas.frame_x + down * canvas.frame_y
    warm = day.normal(0, 0.06)
    tint = np.array([1 + warm, 1 + day.normal(0, 0.03), 1 - warm])
    exposure = np.exp(day.normal(0, 0.17) + rng.normal(0, 0.10))
    canvas.rgb *= (exposure * tint).astype(np.float32)[:, None, None]
    np.clip(canvas.rgb, 0, 1, out=canvas.rgb)
    canvas.rgb **= float(np.exp(day.normal(-0.05, 0.15)))
