"""Paint a mandrill's face: from the ears at the back to the nose in front.

Everything is placed from the `Look` (see looks.py); `yaw` turns the head: the muzzle's
tip, nearest to the camera, moves most.
"""

import numpy as np

from .canvas import Canvas, inside, ramp
from .looks import Look

HAIRS = 220  # strands around the head
DARK = (0.07, 0.05, 0.05)


def paint_face(canvas: Canvas, look: Look, yaw: float, rng: np.random.Generator) -> None:
    """Paint `look` on `canvas`. `yaw` is in -1 to 1 (0 faces the camera); `rng` places the hairs."""
    strands = rng.uniform(-1, 1, (HAIRS, 6)).astype(np.float32)
    _ears(canvas, look, yaw)
    _head(canvas, look, strands)
    _beard(canvas, look, yaw, strands)
    _eye_region(canvas, look, yaw)
    _Muzzle(canvas, look, yaw).paint()
    _eyes(canvas, look, yaw)


def _hair(canvas, look, strands) -> np.ndarray:
    """Strands that radiate from between the eyes; about 0, in -1 to 1."""
    y = canvas.y - look.eye_line
    angle = np.arctan2(canvas.x, -y)
    row = np.sqrt(canvas.x * canvas.x + y * y) * 3.2
    column = ((angle * (1 / (2 * np.pi)) + 0.5) * HAIRS).astype(np.intp) % HAIRS
    low = np.minimum(row.astype(np.intp), 4)
    t = np.minimum(row - low.astype(np.float32), 1)
    start = strands[column, low]
    return start + (strands[column, low + 1] - start) * t


def _ears(canvas, look, yaw) -> None:
    traits = look.traits
    for side, sign in enumerate((-1, 1)):
        size = 0.21 * traits.ear_size[side] * (1.25 - 0.25 * look.head)
        cx = sign * (0.70 * traits.face_width) - 0.10 * yaw
        cy = look.eye_line + 0.02 + traits.ear_height
        part = canvas.window(cx, cy, size, 1.2 * size)
        outer = part.ellipse(cx, cy, 0.72 * size, size)
        notch = traits.ear_notch[side]
        if not np.isnan(notch):
            nx, ny = cx + sign * 0.72 * size * np.cos(notch), cy + size * np.sin(notch)
            outer *= 1 - part.ellipse(nx, ny, 0.36 * size, 0.30 * size)
        part.paint(outer, look.ear)
        inner = part.ellipse(cx - 0.05 * sign, cy + 0.01, 0.42 * size, 0.68 * size, soft=0.08)
        part.paint(inner * outer, look.ear * 0.55, 0.8)


def _head(canvas, look, strands) -> None:
    traits = look.traits
    canvas = canvas.window(0, look.eye_line + 0.2, 1.0, 1.15)
    hair = _hair(canvas, look, strands)
    x, y = canvas.x * (1 / traits.face_width), canvas.y
    # The crown is narrower and may be pointed; the cheeks are full.
    width = 0.74 - (0.16 + 0.16 * traits.crest) * ramp(-y, -0.1, 0.95)
    top, bottom = 0.74 + 0.10 * traits.crest, 0.86 + 0.08 * look.beard
    height = top + (bottom - top) * (y > look.eye_line + 0.3).astype(np.float32)
    x_part, y_part = x / width, (y - (look.eye_line + 0.20)) / height
    r = np.sqrt(x_part * x_part + y_part * y_part)
    head = inside((r - 1 + 0.05 * hair) * 0.75, 0.06)
    shade = (1 + 0.30 * hair) * (1.12 - 0.35 * ramp(r, 0.55, 1.05))
    canvas.paint(head, [float(c) * shade for c in look.fur])
    # Pale cheek hair beside the muzzle, and the crown's stripe.
    cheek = ramp(np.abs(x), 0.20, 0.42) * ramp(y, look.eye_line + 0.02, look.eye_line + 0.45)
    canvas.paint(head * cheek, [float(c) * shade for c in look.cheek], 0.9)
    stripe = head * np.exp(x * x * -100) * ramp(-y, -look.eye_line + 0.12, -look.eye_line + 0.4)
    canvas.shade(stripe, 3.0 * traits.stripe)


def _beard(canvas, look, yaw, strands) -> None:
    width, height = 0.26 + 0.14 * look.beard, 0.12 + 0.22 * look.beard
    cx, cy = 0.20 * yaw, look.eye_line + look.muzzle_length + 0.12 + 0.10 * look.beard
    part = canvas.window(cx, cy, 1.3 * width, 1.3 * height)
    hair = _hair(part, look, strands)
    x, y = (part.x - cx) / width, (part.y - cy) / height
    r = np.sqrt(x * x + y * y)
    shade = 1 + 0.28 * hair - 0.15 * ramp(r, 0.4, 1)
    grey = 0.55 * look.wrinkles
    colour = (1 - grey) * look.traits.beard + grey * np.array([0.85, 0.84, 0.80])
    part.paint(inside((r - 1 + 0.14 * hair) * 0.3, 0.08), [float(c) * shade for c in colour], 0.10 + 0.90 * look.beard)


def _eye_region(canvas, look, yaw) -> None:
    """Bare skin around the eyes under a heavy brow."""
    width, cx, eye = look.traits.face_width, 0.06 * yaw, look.eye_line
    part = canvas.window(cx, eye - 0.06, 0.55, 0.36)
    part.paint(part.ellipse(cx, eye + 0.03, 0.40 * width, 0.17, soft=0.10), look.skin)
    x = (part.x - cx) * (1 / width)
    far = np.abs(x)
    above = part.y - (eye - 0.105 - look.brow * 0.5) - 0.30 * x * x + 0.05 * far
    part.paint(np.exp(-(above / look.brow) ** 2) * (1 - ramp(far, 0.26, 0.42)), look.skin * 0.55, 0.9)
    rim = above / (0.5 * look.brow) + 1.2
    part.shade(np.exp(-rim * rim) * (1 - ramp(far, 0.2, 0.4)), 0.35)


def _eyes(canvas, look, yaw) -> None:
    r = look.eye_radius
    gap = 0.155 * look.traits.eye_gap * look.traits.face_width + 0.25 * (r - 0.055)
    for sign in (-1, 1):
        cx, cy = sign * gap * (1 - 0.12 * abs(yaw)) + 0.06 * yaw, look.eye_line
        canvas.spot(cx, cy - 0.35 * r, 1.55 * r, np.clip(look.skin + 0.16, 0, 1), 0.75, aspect=0.85, soft=0.04)
        canvas.spot(cx, cy, 1.22 * r, DARK, 0.95, aspect=0.78, soft=0.025)
        canvas.spot(cx, cy, 0.88 * r, look.traits.iris, aspect=0.9)
        canvas.spot(cx, cy, 0.45 * r, (0.03, 0.02, 0.02))
        canvas.spot(cx - 0.30 * r, cy - 0.30 * r, 0.20 * r, (0.97, 0.97, 0.95), 0.9)
        if look.wrinkles > 0:
            part = canvas.window(cx, cy + 2 * r, 0.16, 1.6 * r)
            x = part.x - cx
            for fold in (1.7, 2.4, 3.1):
                away = (part.y + 1.2 * x * x - (cy + fold * r * 0.95)) * (1 / 0.011)
                part.shade(np.exp(-away * away) * (1 - ramp(np.abs(x), 0.06, 0.15)), -0.55 * look.wrinkles)


class _Muzzle:
    """Blue ridges on both sides of a red nose; the grooves are the individual's signature."""

    def __init__(self, canvas: Canvas, look: Look, yaw: float):
        self.look, self.yaw = look, yaw
        self.top, self.length = look.eye_line - 0.06, look.muzzle_length + 0.06
        self.size = look.muzzle_width / 0.25
        reach = 1.25 * look.muzzle_width + 0.08 + 0.13 * abs(yaw)
        self.canvas = part = canvas.window(0.13 * yaw, self.top + 0.62 * self.length, reach, 0.85 * self.length)
        self.s = (part.y - self.top) * (1 / self.length)  # 0 between the eyes, 1 at the nose
        self.along = np.clip(self.s, 0, 1)
        self.x = part.x - 0.06 * yaw - (0.20 * yaw) * self.along
        self.off = np.abs(self.x)
        # Half width along the muzzle: narrow between the eyes, swollen, then the snout.
        half = look.muzzle_width * (0.42 + 0.58 * ramp(self.along, 0.05, 0.50) - 0.06 * ramp(self.along, 0.6, 1.0))
        near, far = 1 + 0.10 * abs(yaw), 1 - 0.35 * abs(yaw)
        self.half = half * (near + (far - near) * (self.x * yaw > 0).astype(np.float32))
        nose = (0.045 + 0.03 * self.along + 0.05 * ramp(self.along, 0.72, 1.0)) * (look.traits.nose_width * self.size)
        self.nose_half = nose

    def paint(self) -> None:
        self._snout()
        self._ridges()
        self._spots()
        self._nose()
        self._mouth()

    def _snout(self) -> None:
        look, s = self.look, self.s
        past = np.maximum(s - 1, 0) * (1 / (0.34 * self.size))
        edge = self.off - self.half * np.sqrt(np.clip(1 - past * past, 0.01, 1))
        end = inside((s - 1 - 0.30 * self.size) * self.length, 0.05) * ramp(s, -0.02, 0.10)
        self.mask = inside(edge, 0.035) * end
        self.canvas.paint(inside(edge - 0.03, 0.07) * end, look.skin * 0.6, 0.8)
        self.canvas.paint(self.mask, 0.5 * look.skin + 0.5 * np.array([0.62, 0.52, 0.50]))

    def _ridges(self) -> None:
        look, traits, along = self.look, self.look.traits, self.along
        u = np.clip((self.off - self.nose_half) / np.maximum(self.half - self.nose_half, 0.02), 0, 1)
        ridge = self.mask * ramp(self.s, 0.06, 0.20) * (1 - ramp(self.s, 0.80, 0.97))
        self.canvas.paint(ridge, look.blue)
        right = (self.x >= 0).astype(np.intp)
        bend = np.array(traits.groove_bend, np.float32)[right]
        stripes = (u + bend * (along - 0.4) * u * (1 - u) * 2) * traits.grooves
        which = np.clip(stripes.astype(np.intp), 0, traits.grooves - 1)
        depth = traits.groove_depth.astype(np.float32)[right, which]
        wave = np.cos((2 * np.pi) * stripes)
        groove = (0.5 - 0.5 * wave) ** 2 * depth * ridge
        self.canvas.paint(groove, look.blue * 0.28 + 0.03, 0.12 + 0.68 * look.ridge)
        self.canvas.shade(ridge * (wave > 0.5), 0.16 * look.ridge)
        # Round the muzzle: darker towards its edge.
        self.canvas.shade(self.mask * ramp(self.off / self.half, 0.70, 1.05), -0.45)

    def _spots(self) -> None:
        look, yaw = self.look, self.yaw
        for along, across, radius, dark in look.traits.spots:
            cx = across * look.muzzle_width * 0.8 + 0.06 * yaw + 0.20 * yaw * along
            colour = look.blue * (1 - dark) if dark > 0 else np.clip(look.blue - dark, 0, 1)
            self.canvas.spot(cx, self.top + along * self.length, radius, colour, 0.85)

    def _nose(self) -> None:
        canvas, look, size = self.canvas, self.look, self.size
        strip = inside(self.off - self.nose_half, 0.03) * ramp(self.s, 0.0, 0.10) * (1 - ramp(self.s, 0.98, 1.06))
        canvas.paint(strip, look.red)
        ratio = self.off / self.nose_half
        canvas.shade(strip * np.exp(ratio * ratio * -6), 0.20)
        cx, cy = 0.26 * self.yaw, self.top + 0.97 * self.length
        pad = 0.115 * size * look.traits.nose_width**0.5
        canvas.spot(cx, cy, pad * 1.12, look.red, aspect=0.075 * size / (pad * 1.12), soft=0.03)
        shine = canvas.window(cx, cy - 0.03 * size, pad, 0.08 * size)
        shine.shade(shine.ellipse(cx, cy - 0.03 * size, pad * 0.7, 0.03 * size, soft=0.06), 0.22)
        for sign in (-1, 1):
            canvas.spot(cx + sign * pad * 0.52, cy + 0.018 * size, 0.030 * size, DARK, 0.95, aspect=0.75)

    def _mouth(self) -> None:
        """A dark line that turns up at both ends."""
        width, cx = self.look.muzzle_width, 0.26 * self.yaw
        cy = self.top + 0.97 * self.length + 0.155 * self.size
        part = self.canvas.window(cx, cy, width, 0.12)
        x = part.x - cx
        away = (part.y - cy + 0.8 * x * x) * (1 / 0.016)
        line = np.exp(-away * away) * (1 - ramp(np.abs(x), 0.6 * width, 0.95 * width))
        part.paint(line, DARK, 0.9)
