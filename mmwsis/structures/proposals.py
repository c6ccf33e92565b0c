"""Class-agnostic mask proposals of one image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from .grid_map import GridMap
from .run_lengths import RunLengths


@dataclass(frozen=True, eq=False)
class Proposals:
    """Masks that may be objects, of no class, with scores; run-length coded throughout.

    A resized, cut or mirrored image keeps the codes of its source and a map of where
    its pixels come from, so that nothing is decoded that nobody asks for. The
    operations in :mod:`mmwsis.ops` give the result for the image as it is now.

    Args:
        rles: N compressed RLEs of ``source_size``.
        scores: (N,), finite, descending; kept as float32.
        source_size: ``(H, W)`` of the image that the codes were made for.
        grid: Where the pixels of the image as it is now come from. Defaults to None:
            it is the source.

    Raises:
        ValueError: Not one score for each code, or scores that are not finite or not
            in order.

    Example:
        >>> rle = dict(size=[2, 3], counts='132')
        >>> proposals = Proposals([rle], [0.9], (2, 3))
        >>> proposals.decode().astype(int)
        array([[[0, 1, 0],
                [1, 1, 0]]])
        >>> mirrored = GridMap.identity((2, 3)).mirrored()
        >>> proposals.transformed(mirrored).decode().astype(int)
        array([[[0, 1, 0],
                [0, 1, 1]]])
    """

    rles: Sequence[Mapping[str, Any]]
    scores: np.ndarray
    source_size: tuple[int, int]
    grid: GridMap | None = None

    def __post_init__(self) -> None:
        scores = np.asarray(self.scores, np.float32)
        object.__setattr__(self, 'scores', scores)
        object.__setattr__(self, 'source_size', tuple(map(int, self.source_size)))
        if scores.shape != (len(self.rles),):
            raise ValueError(
                f'{len(self.rles)} proposals need as many scores, got {scores.shape}.'
            )
        if not np.isfinite(scores).all() or (np.diff(scores) > 0).any():
            raise ValueError('scores of proposals must be finite and descending.')
        if self.grid is not None and self.grid.source_size != self.source_size:
            raise ValueError(
                f'the grid is of an image of {self.grid.source_size}, the proposals of '
                f'{self.source_size} (height, width).'
            )

    @classmethod
    def ranked(
        cls,
        rles: Sequence[Mapping[str, Any]],
        scores: np.ndarray,
        size: tuple[int, int],
        max_num: int | None = None,
    ) -> 'Proposals':
        """Sort by descending score; equal scores stay in order.

        Args:
            rles: N compressed RLEs of ``size``.
            scores: (N,) in any order.
            size: ``(H, W)`` of the image.
            max_num: How many are kept. Defaults to None: all.
        """
        scores = np.asarray(scores, np.float64)
        order = np.argsort(-scores, kind='stable')[:max_num]
        return cls([rles[place] for place in order], scores[order], size)

    @property
    def size(self) -> tuple[int, int]:
        """``(H, W)`` of the image as it is now."""
        return self.source_size if self.grid is None else self.grid.size

    def __len__(self) -> int:
        return len(self.rles)

    def __getitem__(self, chosen: slice | np.ndarray | Sequence[int]) -> 'Proposals':
        """Some of the proposals, best first.

        Args:
            chosen: A slice, N booleans, or ascending indices.
        """
        places = np.arange(len(self))[chosen]
        rles = [self.rles[place] for place in places]
        return replace(self, rles=rles, scores=self.scores[places])

    def transformed(self, step: GridMap) -> 'Proposals':
        """The proposals after a geometric transform of the image.

        Args:
            step: Its map, whose source is the image as it is now.
        """
        grid = step if self.grid is None else self.grid.then(step)
        following = replace(self, grid=grid)
        if 'source_runs' in self.__dict__:  # They stay the same.
            following.__dict__['source_runs'] = self.source_runs
        return following

    @cached_property
    def source_runs(self) -> RunLengths:
        """The masks in the source image, unpacked at the first use.

        Raises:
            ValueError: An RLE is damaged or of another size.
        """
        return RunLengths.from_rles(self.rles, self.source_size)

    @cached_property
    def current_runs(self) -> RunLengths:
        """The masks in the image as it is now, unpacked."""
        if self.grid is None:
            return self.source_runs
        return self.source_runs.gathered(self.grid.rows, self.grid.columns)

    @property
    def current_rles(self) -> Sequence[Mapping[str, Any]]:
        """Compressed RLEs of the image as it is now, for pycocotools."""
        return self.rles if self.grid is None else self.current_runs.to_rles()

    @property
    def areas(self) -> np.ndarray:
        """Pixels of each mask in the image as it is now, (N,) int64."""
        return self.current_runs.areas

    def decode(self) -> np.ndarray:
        """Masks of the image as it is now, bool (N, H, W).

        Of 1,000 proposals they take hundreds of MiB: take the wanted ones first.
        """
        if not len(self):
            return np.zeros((0, *self.size), bool)
        masks = coco_mask.decode(list(self.rles)).transpose(2, 0, 1).astype(bool)
        return masks if self.grid is None else self.grid.apply(masks, fill=False)
