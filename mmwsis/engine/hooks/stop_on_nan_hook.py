"""Stops a training run at the first loss that is not a number."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmwsis.registry import HOOKS
from mmwsis.utils.fileio import atomic_write_json

_REPORT_KEYS = ('img_path', 'img_id', 'ann_id')


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite."""


@HOOKS.register_module()
class StopOnNaNHook(Hook):
    """Stop training at a NaN or infinite loss and say which batch caused it.

    The message names the iteration, every loss term, and the images and annotations of
    the batch; the same is written to ``<work_dir>/non_finite_loss_rank<r>.json``. The
    hook runs before checkpoints are written, so the last checkpoint is a valid one to
    resume from. Of several processes all stop at the same iteration: those with a
    finite loss would otherwise wait for the others, or write a checkpoint whose
    weights the common gradient has spoilt.

    Args:
        interval: Look at every n-th iteration. MMEngine reads every loss off the
            device anyway, so looking always costs nothing. Defaults to 1.

    Raises:
        ValueError: ``interval`` is not positive.
    """

    # Checkpoints are written at VERY_LOW.
    priority = 'ABOVE_NORMAL'

    def __init__(self, interval: int = 1) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1, got {interval}')
        self.interval = interval

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Check the losses of one iteration.

        Args:
            runner: The runner.
            batch_idx: Index of the batch in its epoch.
            data_batch: The batch; its ``data_samples`` are named in the error.
            outputs: Loss terms as returned by ``train_step``.

        Raises:
            NonFiniteLossError: A term is NaN or infinite.
        """
        if not outputs or not self.every_n_train_iters(runner, self.interval):
            return
        terms = {key: _as_float(value) for key, value in outputs.items()}
        # Statistics that are logged beside the losses may well be undefined.
        losses = {k: v for k, v in terms.items() if v is not None and 'loss' in k}
        bad = sorted(key for key, value in losses.items() if not isfinite(value))
        ranks = _ranks_with(bool(bad))
        if not ranks:
            return
        if not bad:
            raise NonFiniteLossError(
                f'The loss of rank {", ".join(map(str, ranks))} is not finite at '
                f'iteration {runner.iter + 1}; the message of that rank names the '
                f'batch. Rank {get_rank()} stops too, because its gradients were '
                'averaged with those.'
            )
        report = dict(
            iteration=runner.iter + 1,
            epoch=runner.epoch + 1,
            losses={key: str(value) for key, value in losses.items()},
            samples=list(describe_samples(data_batch)),
        )
        path = Path(runner.work_dir, f'non_finite_loss_rank{get_rank()}.json')
        atomic_write_json(path, report, indent=1)
        lines = [
            ', '.join(f'{key}={value}' for key, value in sample.items())
            for sample in report['samples']
        ]
        batch = '\n  '.join(lines) or '(the batch carries no data samples)'
        raise NonFiniteLossError(
            f'{", ".join(bad)} not finite at iteration {runner.iter + 1} (epoch '
            f'{runner.epoch + 1}, batch {batch_idx + 1} of it), rank {get_rank()}.\n'
            f'Loss terms: {", ".join(f"{k}={v:g}" for k, v in losses.items())}\n'
            f'Samples of the batch:\n  {batch}\n'
            f'Written to {path}. No checkpoint was written after it. Look at these '
            'annotations with tools/analysis_tools/browse_dataset.py; if they are '
            'right, lower optim_wrapper.optimizer.lr, lengthen the warm-up, clip '
            'gradients (optim_wrapper.clip_grad) or train without --amp, and resume.'
        )


def _ranks_with(bad: bool) -> list[int]:
    """Ranks whose loss is bad; a few bytes per iteration where there are several."""
    if get_world_size() == 1:
        return [get_rank()] if bad else []
    flags = all_gather(torch.tensor([bad], dtype=torch.uint8))
    return [rank for rank, flag in enumerate(flags) if flag.item()]


def describe_samples(data_batch: Any) -> Iterator[dict[str, Any]]:
    """Name the samples of a batch.

    Args:
        data_batch: What the data loader gave: a dict with ``data_samples``, which is
            a list of data elements, or a dict of such lists (several branches).

    Yields:
        ``img_path``, ``img_id`` and ``ann_id``, as far as a sample has them.
    """
    if isinstance(data_batch, Mapping):
        data_batch = data_batch.get('data_samples', ())
    yield from _walk(data_batch)


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    metainfo = getattr(node, 'metainfo', None)
    if isinstance(metainfo, Mapping):
        found = {k: metainfo[k] for k in _REPORT_KEYS if metainfo.get(k) is not None}
        for instances in ('gt_instances', 'instances'):
            ids = getattr(getattr(node, instances, None), 'ann_ids', None)
            if ids is not None:
                found['ann_ids'] = [int(value) for value in ids]
        yield {key: _plain(value) for key, value in found.items()}
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _walk(value)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for value in node:
            yield from _walk(value)


def _plain(value: Any) -> Any:
    """Turn NumPy and torch scalars into what JSON can hold."""
    if isinstance(value, (str, int, float, list)):
        return value
    return value.item() if hasattr(value, 'item') else str(value)


def _as_float(value: Any) -> float | None:
    if isinstance(value, torch.Tensor):
        return float(value.detach().float().mean())
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
