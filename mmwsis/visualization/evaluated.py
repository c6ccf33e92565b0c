"""A network in evaluation mode for a while, for drawing in the middle of training."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def evaluated(model: Any, data_batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Preprocess a batch for prediction; the model and the batch stay as they were.

    Args:
        model: A model of MMEngine.
        data_batch: As the data loader gives it.

    Yields:
        ``inputs`` and ``data_samples`` of a copy, since predictions would be left in
        the samples; meanwhile the model is in evaluation mode, without gradients.
    """
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield model.data_preprocessor(copy.deepcopy(dict(data_batch)), False)
    finally:
        model.train(was_training)
