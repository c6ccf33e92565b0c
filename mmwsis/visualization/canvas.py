"""Drawing in image coordinates on an image that is large enough to read."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .palette import EXTREME_POINT_COLORS, Color


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which matplotlib ships, so that text looks alike everywhere.

    Args:
        size: Height in pixels.
    """
    import matplotlib

    file = Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf')
    return ImageFont.truetype(str(file), size)


class Canvas:
    """An enlarged (or reduced) copy of an image to draw on.

    Args:
        image: RGB ``(H, W, 3)``, uint8.
        min_side: The shorter side is at least this many pixels, unless ``max_side``
            forbids it.
        max_side: The longer side is at most this many pixels.
        smooth: Enlarge bicubically; ``False`` keeps the pixels as squares.

    Attributes:
        scale: Canvas pixels per image pixel.

    Raises:
        ValueError: The image has another shape or type.
    """

    def __init__(
        self,
        image: np.ndarray,
        min_side: int = 256,
        max_side: int = 640,
        smooth: bool = True,
    ) -> None:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                'Expected an RGB image (H, W, 3) of uint8, got '
                f'{image.shape} of {image.dtype}.'
            )
        self.height, self.width = image.shape[:2]
        short, long = sorted((self.height, self.width))
        self.scale = min(max(1.0, min_side / max(short, 1)), max_side / max(long, 1))
        size = (
            max(1, round(self.width * self.scale)),
            max(1, round(self.height * self.scale)),
        )
        if self.scale < 1:
            how = cv2.INTER_AREA
        else:
            how = cv2.INTER_CUBIC if smooth else cv2.INTER_NEAREST
        image = np.ascontiguousarray(image)
        if size != (self.width, self.height):
            image = cv2.resize(image, size, interpolation=how)
        self._drawn = Image.fromarray(image)
        self._plates: list[tuple[float, float, float, float]] = []

    @property
    def image(self) -> np.ndarray:
        """The image drawn so far, RGB ``(h, w, 3)``, uint8."""
        return np.asarray(self._drawn).copy()

    def mask(self, mask: np.ndarray, color: Color, alpha: float = 0.45) -> 'Canvas':
        """Tint a mask and draw its outline.

        Args:
            mask: ``(H, W)`` of the original image, non-zero inside.
            color: RGB.
            alpha: Opacity of the tint, 0 to 1; the outline is opaque.

        Returns:
            This canvas.

        Raises:
            ValueError: The mask's size is not the image's.
        """
        if mask.shape != (self.height, self.width):
            raise ValueError(
                f'Expected a mask of {(self.height, self.width)}, got {mask.shape}.'
            )
        rgb = np.asarray(self._drawn).copy()
        large = cv2.resize(
            (mask != 0).astype(np.uint8),
            (rgb.shape[1], rgb.shape[0]),
            interpolation=cv2.INTER_NEAREST,
        )
        inside = large != 0
        tint = (1 - alpha) * rgb[inside] + alpha * np.array(color)
        rgb[inside] = tint.round().astype(np.uint8)
        outline, _ = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(rgb, outline, -1, color, 2)
        self._drawn = Image.fromarray(rgb)
        return self

    def box(self, xyxy: tuple, color: Color, width: int = 2) -> 'Canvas':
        """Draw a box given by continuous coordinates.

        Args:
            xyxy: ``(x0, y0, x1, y1)`` in image pixels.
            color: RGB.
            width: Line width in canvas pixels.

        Returns:
            This canvas.
        """
        x0, y0, x1, y1 = (float(value) * self.scale for value in xyxy)
        corners = [min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)]
        ImageDraw.Draw(self._drawn).rectangle(corners, outline=color, width=width)
        return self

    def point(
        self, x: float, y: float, color: Color, radius: float = 5, pixel: bool = True
    ) -> 'Canvas':
        """Draw a dot with a dark rim, visible on any ground.

        Args:
            x: Column in image pixels.
            y: Row in image pixels.
            color: RGB.
            radius: In canvas pixels.
            pixel: ``x`` and ``y`` name a pixel, whose centre is half a pixel further.

        Returns:
            This canvas.
        """
        shift = 0.5 if pixel else 0.0
        cx, cy = (float(x) + shift) * self.scale, (float(y) + shift) * self.scale
        draw = ImageDraw.Draw(self._drawn)
        for size, fill in ((radius + 1.5, (0, 0, 0)), (radius, color)):
            draw.ellipse([cx - size, cy - size, cx + size, cy + size], fill=fill)
        return self

    def extreme_points(self, points: Iterable) -> 'Canvas':
        """Draw extreme points in their colours.

        Args:
            points: Four continuous ``(x, y)``: top, left, bottom, right.

        Returns:
            This canvas.
        """
        colors = EXTREME_POINT_COLORS.values()
        for (x, y), color in zip(points, colors, strict=True):
            self.point(x, y, color, pixel=False)
        return self

    def cross(self, x: float, y: float, color: Color, radius: float = 8) -> 'Canvas':
        """Draw a cross with a dark rim at continuous image coordinates.

        Args:
            x: Column.
            y: Row.
            color: RGB.
            radius: Arm length in canvas pixels.

        Returns:
            This canvas.
        """
        cx, cy = float(x) * self.scale, float(y) * self.scale
        draw = ImageDraw.Draw(self._drawn)
        for width, ink in ((6, (0, 0, 0)), (3, color)):
            draw.line([cx - radius, cy, cx + radius, cy], fill=ink, width=width)
            draw.line([cx, cy - radius, cx, cy + radius], fill=ink, width=width)
        return self

    def text(self, x: float, y: float, text: str, color: Color) -> 'Canvas':
        """Write on a dark plate, moved to stay in the image and off other plates.

        Args:
            x: Left edge in image pixels.
            y: Bottom edge in image pixels.
            text: One line.
            color: RGB of the letters.

        Returns:
            This canvas.
        """
        letters = font(12)
        left, top, right, bottom = letters.getbbox(text)
        width, height = right - left + 6, bottom - top + 5
        limit_x = max(0.0, self._drawn.width - width)
        limit_y = max(0.0, self._drawn.height - height)
        px = min(max(0.0, float(x) * self.scale), limit_x)
        py = min(max(0.0, float(y) * self.scale - height), limit_y)
        px, py = self._free_place(px, py, width, height)
        draw = ImageDraw.Draw(self._drawn)
        draw.rectangle([px, py, px + width - 1, py + height - 1], fill=(15, 15, 15))
        draw.text((px + 3 - left, py + 2 - top), text, fill=color, font=letters)
        return self

    def _free_place(
        self, x: float, y: float, width: float, height: float
    ) -> tuple[float, float]:
        """Move a plate down until it covers no other; note where it stands."""
        place = x, y
        for step in range(6):
            top = y + step * height
            if top + height > self._drawn.height:
                break
            if not any(
                x < right and left < x + width and top < bottom and upper < top + height
                for left, upper, right, bottom in self._plates
            ):
                place = x, top
                break
        left, top = place
        self._plates.append((left, top, left + width, top + height))
        return place
