"""Invented photos: rooms with a person in them, taken again, and tampered with."""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDE, HIGH = 640, 480


def room(seed: int) -> Image.Image:
    """A place: a lit wall and some furniture."""
    chance = np.random.default_rng(seed)
    first, last = (float(value) for value in chance.integers(80, 200, 2))
    lit = np.linspace(0.0, float(chance.integers(-60, 60)), HIGH)
    wall = np.linspace(first, last, WIDE)[None, :] + lit[:, None]
    tinted = np.stack([wall * chance.uniform(0.7, 1.1) for _ in range(3)], -1)
    made = Image.fromarray(tinted.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(made)
    for _ in range(chance.integers(5, 12)):
        x, y, wide, high = chance.integers((0, 0, 30, 30), (WIDE, HIGH, 250, 250))
        pen.rectangle([x, y, x + wide, y + high], fill=tuple(int(v) for v in chance.integers(20, 235, 3)))
    return made


def shot(place: Image.Image, chance: np.random.Generator) -> Image.Image:
    """A photo in a room: somebody stands there, the camera and the light are never quite the same."""
    made = place.copy()
    pen = ImageDraw.Draw(made)
    x, y, size = chance.uniform(0.3, 0.7) * WIDE, chance.uniform(0.3, 0.5) * HIGH, chance.uniform(0.8, 1.3)
    coat = tuple(int(v) for v in chance.integers(30, 220, 3))
    pen.ellipse([x - 90 * size, y + 60 * size, x + 90 * size, y + 330 * size], fill=coat)
    pen.ellipse([x - 45 * size, y - 60 * size, x + 45 * size, y + 60 * size], fill=(200, 160, 130))
    arm = chance.uniform(0, 2 * np.pi)
    hand = (x + 150 * size * np.cos(arm), y + 120 * size + 150 * size * np.sin(arm))
    pen.line([(x, y + 120 * size), hand], fill=coat, width=int(30 * size))
    left, top = chance.uniform(0, 0.16, 2)
    zoom = chance.uniform(0.76, 0.84)
    seen = made.crop((int(left * WIDE), int(top * HIGH), int((left + zoom) * WIDE), int((top + zoom) * HIGH)))
    light = np.asarray(seen.resize((WIDE, HIGH)), float) * chance.uniform(0.8, 1.2) + chance.normal(
        0, 6, (HIGH, WIDE, 3)
    )
    return Image.fromarray(light.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))


def tampered(photo: Image.Image, chance: np.random.Generator) -> Iterator[tuple[str, Image.Image]]:
    """What somebody does to an old photo to send it again."""
    wide, high = photo.size
    yield "rescaled", photo.resize((wide // 2, high // 2)).resize((int(wide * 1.3), int(high * 1.3)))
    yield "recompressed", reopened(photo, 25)
    yield "brightened", reopened(photo.point(lambda value: min(255, int(value * 1.1 + 8))), 60)
    for share in (0.02, 0.04):
        left, top, right, bottom = chance.uniform(0, share, 4)
        box = (int(left * wide), int(top * high), int(wide - right * wide), int(high - bottom * high))
        yield f"cropped {share:.0%}", reopened(photo.crop(box), 70)
    yield "cropped at one side", reopened(photo.crop((int(0.05 * wide), 0, wide, high)), 70)


def jpeg(photo: Image.Image, quality: int = 85) -> bytes:
    out = BytesIO()
    photo.save(out, "JPEG", quality=quality)
    return out.getvalue()


def reopened(photo: Image.Image, quality: int) -> Image.Image:
    return Image.open(BytesIO(jpeg(photo, quality)))
