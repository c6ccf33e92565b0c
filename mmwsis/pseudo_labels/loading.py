"""Feeding a labeler chunk by chunk: every image is decoded once for all its samples."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from .plan import Chunk


class ChunkBatch(NamedTuple):
    """A batch and its place; ``batches`` is the number of batches in the chunk.

    ``data`` are the samples that the model gets, or what the loader made of them.
    """

    chunk: int
    batch: int
    batches: int
    item_ids: tuple[Any, ...]
    data: Any


class ChunkBatches(IterableDataset):
    """Yields the batches of some chunks; a worker keeps a chunk, and so its images.

    Args:
        dataset: Dataset of samples in test mode.
        chunks: What to yield, in order.
        batch_size: Samples in a batch; the last of a chunk may hold fewer.
        label: Called with every batch, in the processes that load it; its result
            takes the place of the data. Defaults to None.
    """

    def __init__(
        self,
        dataset: Dataset,
        chunks: Sequence[Chunk],
        batch_size: int,
        label: Callable[[ChunkBatch], Any] | None = None,
    ) -> None:
        self.dataset, self.chunks, self.batch_size = dataset, chunks, batch_size
        self.label = label

    def __iter__(self) -> Iterator[ChunkBatch]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for chunk in self.chunks[first::step]:
            starts = range(0, len(chunk.indices), self.batch_size)
            for batch, start in enumerate(starts):
                chosen = slice(start, start + self.batch_size)
                samples = [self.dataset[index] for index in chunk.indices[chosen]]
                loaded = ChunkBatch(
                    chunk.number,
                    batch,
                    len(starts),
                    chunk.item_ids[chosen],
                    pseudo_collate(samples),
                )
                if self.label is not None:
                    loaded = loaded._replace(data=self.label(loaded))
                yield loaded


def build_loader(
    dataset: Dataset,
    chunks: Sequence[Chunk],
    batch_size: int,
    settings: Mapping[str, Any],
    label: Callable[[ChunkBatch], Any] | None = None,
) -> DataLoader:
    """Loader of :class:`ChunkBatches`.

    Args:
        dataset: Dataset of samples in test mode.
        chunks: What this rank labels.
        batch_size: Samples in a batch.
        settings: The config's ``pseudo_label_dataloader``; ``num_workers``,
            ``pin_memory`` and ``prefetch_factor`` are used.
        label: See :class:`ChunkBatches`. Defaults to None.
    """
    workers = min(settings.get('num_workers', 0), len(chunks))
    extra: dict[str, Any] = {}
    if workers:
        extra = dict(
            prefetch_factor=settings.get('prefetch_factor') or 2,
            worker_init_fn=_quiet_worker,
            # MMEngine's launcher sets 'spawn', which would import everything anew.
            multiprocessing_context=_start_method(),
        )
    return DataLoader(
        ChunkBatches(dataset, chunks, batch_size, label),
        batch_size=None,
        num_workers=workers,
        pin_memory=settings.get('pin_memory', False) and torch.cuda.is_available(),
        **extra,
    )


def _start_method() -> str:
    methods = torch.multiprocessing.get_all_start_methods()
    return 'fork' if 'fork' in methods else 'spawn'


def _quiet_worker(worker: int) -> None:
    """One thread per worker: there are as many workers as the user wants threads."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
