"""Lets a resumed training run go on exactly as the uninterrupted one."""

import logging

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmwsis.compat import move_training_data_to
from mmwsis.datasets.seeded_samplers import SeededEpochSampler, SeededInfiniteSampler
from mmwsis.registry import HOOKS
from mmwsis.utils.seed import seed_random_state


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Make training a function of the seed and the iteration, not of interruptions.

    A run that was killed and resumed then has, on the same machine and number of
    processes, the same weights as one that was not, to the bit. Three things are
    needed, none of which MMEngine's checkpoints hold:

    - What transforms draw: ``mmwsis.SeededEpochSampler`` or
      ``mmwsis.SeededInfiniteSampler`` in ``train_dataloader``, on a dataset of
      mmwsis (not inside a wrapper such as ``RepeatDataset``).
    - What the model draws, point dropout for example: this hook sets the random state
      before every iteration, from the seed, the rank and the iteration.
    - The place in the data: with ``SeededInfiniteSampler`` this hook starts the data
      loader there; MMEngine would load everything again that was seen before.

    Checkpoints in the middle of an epoch of ``EpochBasedTrainLoop``, or of gradient
    accumulation, cannot be resumed exactly; the shipped configs write none.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Set the sampler's seed and place; the checkpoint is loaded by now.

        Args:
            runner: The runner.
        """
        sampler = getattr(runner.train_loop.dataloader, 'sampler', None)
        if not isinstance(sampler, (SeededEpochSampler, SeededInfiniteSampler)):
            print_log(
                f'{type(sampler).__name__} does not number its draws: a resumed run '
                'will draw other augmentations than an uninterrupted one. Use '
                'mmwsis.SeededEpochSampler or mmwsis.SeededInfiniteSampler.',
                logger='current',
                level=logging.WARNING,
            )
            return
        if runner.iter == 0:
            return
        # Without a seed in the config the first run has drawn one, which its
        # checkpoint holds; the sampler was built before that was read.
        sampler.seed = runner.seed
        if isinstance(sampler, SeededInfiniteSampler):
            move_training_data_to(runner.train_loop, runner.iter)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None
    ) -> None:
        """Set the random state of the model's own draws.

        Args:
            runner: The runner.
            batch_idx: Not used.
            data_batch: Not used.
        """
        seed_random_state(runner.seed, get_rank(), runner.iter, devices=True)
