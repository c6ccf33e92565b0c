"""What one geometric transform does to a whole image, and where its points go."""

from dataclasses import dataclass

import numpy as np

from mmwsis.structures.grid_map import GridMap, PixelRule


@dataclass(frozen=True)
class Geometry:
    """Resize an image, then take a window, then mirror it; each step may be missing.

    A pixel's index (column, row) is the point (x, y) in its middle; edges of boxes and
    vertices of polygons lie half a pixel further, as COCO has them.

    Args:
        size: (H, W) of the image.
        resized: (H, W) to resize it to. Defaults to None, as it is.
        factor: What ``resized`` was rounded from, where the image is resized by it and
            not by the ratio of the sides. Defaults to None.
        corner: Window's first row and column in the resized image; negative where the
            window begins outside. Defaults to (0, 0).
        window: (H, W) of the window. Defaults to None, the whole image.
        mirror: Whether left and right are exchanged. Defaults to False.
    """

    size: tuple[int, int]
    resized: tuple[int, int] | None = None
    factor: float | None = None
    corner: tuple[int, int] = (0, 0)
    window: tuple[int, int] | None = None
    mirror: bool = False

    @property
    def resized_size(self) -> tuple[int, int]:
        """(H, W) before the window is taken."""
        return self.resized or self.size

    @property
    def new_size(self) -> tuple[int, int]:
        """(H, W) afterwards."""
        return self.window or self.resized_size

    @property
    def is_identity(self) -> bool:
        """Whether nothing is done."""
        resizes = self.resized_size != self.size or self.factor not in (None, 1)
        return not (resizes or self.window is not None or self.mirror)

    @property
    def scale(self) -> tuple[float, float]:
        """Factors of width and height."""
        if self.factor is not None:
            return self.factor, self.factor
        (height, width), (new_height, new_width) = self.size, self.resized_size
        return new_width / width, new_height / height

    def placement(self) -> GridMap:
        """Window and mirror: the steps in which no pixel changes its value."""
        grid = GridMap.identity(self.resized_size)
        if self.window is not None:
            grid = grid.window(*self.corner, self.window)
        return grid.mirrored() if self.mirror else grid

    def grid(self, rule: PixelRule) -> GridMap:
        """All steps, for fields of labels.

        Args:
            rule: Nearest neighbours, as in :meth:`GridMap.resized`.
        """
        grid = GridMap.identity(self.size)
        return grid.resized(self.resized_size, rule, self.factor).then(self.placement())

    def move(self, points: np.ndarray, rule: PixelRule) -> np.ndarray:
        """Where points go.

        Args:
            points: (N, 2), (x, y).
            rule: 'centre' keeps a point on its pixel. 'corner' scales the coordinates
                alone, which moves a point at (0, 0) nowhere.

        Returns:
            float64 (N, 2).
        """
        shift = 0.5 if rule == 'centre' else 0.0
        moved = np.asarray(points, np.float64) + shift
        if self.factor is not None:
            moved = moved * self.factor
        elif self.resized is not None:
            # In this order: a truncation may follow, which a rounding would decide.
            moved = moved / self.size[::-1] * self.resized[::-1]
        moved = moved - shift - self.corner[::-1]
        if self.mirror:
            moved[:, 0] = self.new_size[1] - 1 - moved[:, 0]
        return moved

    def holds(self, points: np.ndarray, rule: PixelRule) -> np.ndarray:
        """Which points lie in the image afterwards.

        Args:
            points: Already moved, (N, 2).
            rule: A pixel reaches half a pixel to each side of its index ('centre'), or
                from it to the next one ('corner').

        Returns:
            bool (N,).
        """
        pixels = np.floor(points + (0.5 if rule == 'centre' else 0.0))
        return ((pixels >= 0) & (pixels < self.new_size[::-1])).all(axis=1)
