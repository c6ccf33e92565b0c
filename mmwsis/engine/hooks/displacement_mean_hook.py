"""Finds the mean displacement of a trained IRNet."""

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import all_reduce, get_dist_info
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Subset

from mmwsis.registry import DATASETS, HOOKS


@HOOKS.register_module()
class DisplacementMeanHook(Hook):
    """Set ``displacement_head.mean_shift`` in the last training iteration.

    `IRNet <https://arxiv.org/abs/1904.05044>`_ learns differences of displacements only
    (Eq. 5 and 6); their mean over the images to be labelled, those of the config's
    ``pseudo_label_dataloader``, is subtracted afterwards (released code; section 4.3
    asks for a sum of zero). Not resized, but cut or padded to one size at the bottom
    and the right, they run through the network in evaluation mode; the mean goes over
    all cells, those of the padding too. It is set before the last checkpoint is
    written, so that the checkpoint holds it. The images are shared out to the ranks.

    Args:
        crop_size: Side of the images in pixels; that of the training crops. Defaults to
            512.
        whole_batches: Images count in whole batches of this many, the rest is left
            out, as in the released code; if there are fewer than one batch all count.
            Defaults to 32.
        batch_size: Images at a time; does not change the result. Defaults to 8.

    Raises:
        ValueError: An argument is not positive.
    """

    # After the optimiser, before checkpoints, which are written at VERY_LOW.
    priority = 'LOW'

    def __init__(
        self, crop_size: int = 512, whole_batches: int = 32, batch_size: int = 8
    ) -> None:
        given = dict(
            crop_size=crop_size, whole_batches=whole_batches, batch_size=batch_size
        )
        if min(given.values()) < 1:
            raise ValueError(f'all of {given} must be at least 1.')
        self.crop_size = crop_size
        self.whole_batches = whole_batches
        self.batch_size = batch_size

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Find the mean when training is over.

        Args:
            runner: The runner.
            batch_idx: Not used.
            data_batch: Not used.
            outputs: Not used.
        """
        if not self.is_last_train_iter(runner):
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        training = model.training
        model.eval()
        try:
            mean = self._mean(model, runner.cfg.pseudo_label_dataloader)
        finally:
            model.train(training)
        model.displacement_head.mean_shift.copy_(mean)
        dy, dx = mean.tolist()
        print_log(
            f'mean displacement (dy, dx): ({dy:.4f}, {dx:.4f}) cells; it is '
            'subtracted from now on.',
            logger='current',
        )

    @torch.no_grad()
    def _mean(self, model: Any, loader: dict) -> Tensor:
        """Mean over the images of all ranks, (dy, dx), float32."""
        model.displacement_head.mean_shift.zero_()
        total = torch.zeros(3, dtype=torch.float64)
        for batch in self._batches(loader):
            images = model.data_preprocessor(batch, False)['inputs']
            height, width = images.shape[-2:]
            inputs = F.pad(  # cuts where the number is negative
                images, (0, self.crop_size - width, 0, self.crop_size - height)
            )
            sums = model.displacement(inputs).double().mean((2, 3)).sum(0)
            total[:2] += sums.cpu()
            total[2] += len(inputs)
        total = total.to(model.displacement_head.mean_shift.device)
        all_reduce(total)
        return (total[:2] / total[2]).float()

    def _batches(self, loader: dict) -> Iterator[dict]:
        """This rank's share of the images."""
        settings = dict(loader['dataset'])
        # Nothing is labelled yet, and a broken map would end a training that is over.
        settings['pipeline'] = [
            step
            for step in settings['pipeline']
            if step['type'] not in ('mmwsis.LoadClassMaps', 'LoadClassMaps')
        ]
        dataset = DATASETS.build(settings)
        count = len(dataset)
        if count > self.whole_batches:
            count -= count % self.whole_batches
        rank, ranks = get_dist_info()
        mine = Subset(dataset, range(rank, count, ranks))
        yield from DataLoader(
            mine,
            batch_size=self.batch_size,
            num_workers=loader.get('num_workers', 0),
            collate_fn=pseudo_collate,
        )
