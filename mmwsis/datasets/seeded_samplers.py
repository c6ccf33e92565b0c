"""Augmentation that a resumed run repeats exactly.

MMEngine seeds every data loader worker once; what a transform draws then depends on
everything that this worker did before, and a resumed run draws something else. Here
the sampler gives every draw of a sample a number, and the dataset sets the random
state from it. A crop then depends on the seed of the run and the number of the draw
alone: not on a resume, nor on the number of workers.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from mmengine.dataset import DefaultSampler, InfiniteSampler

from mmwsis.registry import DATA_SAMPLERS
from mmwsis.utils.seed import seed_random_state


class SampleDraw(int):
    """Index of a sample that also says which draw of the run this is.

    Attributes:
        seed: Seed of the run.
        number: Place of the draw in the run, counted over all ranks.
    """

    seed: int
    number: int

    def __new__(cls, index: int, seed: int, number: int) -> 'SampleDraw':
        """Make an index; it stays an ``int`` for everything else."""
        draw = super().__new__(cls, index)
        draw.seed, draw.number = seed, number
        return draw

    def __reduce__(self) -> tuple:
        """Keep the numbers on the way to a worker."""
        return SampleDraw, (int(self), self.seed, self.number)


class SeededDraws:
    """Mix-in of MMEngine datasets that sets the random state of every draw.

    Plain indices leave the random state alone.
    """

    def prepare_data(self, idx: int) -> Any:
        """Data of one sample after the pipeline.

        Args:
            idx: Index in the dataset; a :class:`SampleDraw` fixes what transforms draw.
        """
        if isinstance(idx, SampleDraw):
            seed_random_state(idx.seed, idx.number)
        return super().prepare_data(int(idx))


@DATA_SAMPLERS.register_module()
class SeededEpochSampler(DefaultSampler):
    """``DefaultSampler`` whose indices are sample draws; for training by epochs."""

    def __iter__(self) -> Iterator[SampleDraw]:
        """Yield the sample draws of this rank in this epoch."""
        first = self.epoch * self.total_size + self.rank
        numbers = itertools.count(first, self.world_size)
        for index, number in zip(super().__iter__(), numbers):
            yield SampleDraw(index, self.seed, number)


@DATA_SAMPLERS.register_module()
class SeededInfiniteSampler(InfiniteSampler):
    """``InfiniteSampler`` whose indices are sample draws; for training by iterations.

    Attributes:
        start: Number of samples that this rank has seen before, in an earlier run.
    """

    start = 0

    def __iter__(self) -> Iterator[SampleDraw]:
        """Yield the sample draws of this rank from ``start`` on."""
        first = self.rank + self.start * self.world_size
        numbers = itertools.count(first, self.world_size)
        indices = itertools.islice(
            self._infinite_indices(), first, None, self.world_size
        )
        for index, number in zip(indices, numbers):
            yield SampleDraw(index, self.seed, number)
