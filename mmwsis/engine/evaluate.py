"""Runs a model over its test set and keeps what comes out."""

import math
import os
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process

from mmwsis.engine.run_config import build_runner
from mmwsis.utils.fileio import atomic_write_json


def evaluate(
    cfg: Config,
    predictions_out: str | os.PathLike | None = None,
    metrics_out: str | os.PathLike | None = None,
) -> dict[str, Any]:
    """Evaluate the model of a config on its test set.

    Args:
        cfg: Config from :func:`mmwsis.engine.run_config.load_run_config` with
            ``load_from`` set.
        predictions_out: Pickle file for all predictions, in MMDetection's format.
        metrics_out: JSON file for the metrics, written by the first process.

    Returns:
        Name and value of every metric.

    Raises:
        ValueError: The config defines no test set.
    """
    missing = [
        key
        for key in ('test_dataloader', 'test_evaluator', 'test_cfg')
        if cfg.get(key) is None
    ]
    if missing:
        raise ValueError(
            f'{cfg.filename} cannot be tested: it has no {", ".join(missing)}. '
            'Labelers are measured with tools/generate_pseudo_labels.py and '
            'tools/analysis_tools/pseudo_label_quality.py.'
        )
    runner = build_runner(cfg)
    if predictions_out is not None:
        from mmdet.evaluation import DumpDetResults

        runner.test_evaluator.metrics.append(
            DumpDetResults(out_file_path=str(predictions_out))
        )
    metrics = runner.test()
    if metrics_out is not None and is_main_process():
        plain = {key: _plain(value) for key, value in metrics.items()}
        atomic_write_json(metrics_out, plain, indent=1)
    return metrics


def _plain(value: Any) -> Any:
    """Turn a metric into what JSON can hold; NaN becomes null."""
    if hasattr(value, 'item') and getattr(value, 'size', 1) == 1:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (bool, int, float, str)) else str(value)
