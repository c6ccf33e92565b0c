"""Draw how WeakPanoptic comes to its segments; works with ``--show-dir``."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmwsis.formats.panoptic_files import PanopticFile
from mmwsis.registry import HOOKS
from mmwsis.visualization.panoptic_network_figure import batch_tiles, true_segments

from .crop_prediction_visualization_hook import CropPredictionVisualizationHook


@HOOKS.register_module()
class PanopticVisualizationHook(CropPredictionVisualizationHook):
    """Detections, semantic map and segments beside the truth, a file per image.

    Of a semantic network alone, its map beside the truth.

    Takes the arguments of :class:`CropPredictionVisualizationHook`, of which
    ``score_thr`` is not used; ``tools/test.py --show`` and ``--show-dir`` switch it on.
    The truth is that of the config's evaluators. The network is run once more on what
    is drawn.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._truths: dict[str, PanopticFile | None] = {}

    def _rows(self, runner: Runner, data_batch: dict | None, outputs: Sequence) -> list:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        classes = (runner.visualizer.dataset_meta or {}).get('classes') or ()
        key = 'val_evaluator' if self.test_out_dir is None else 'test_evaluator'
        if key not in self._truths:
            self._truths[key] = true_segments(runner.cfg.get(key))
        return batch_tiles(model, data_batch, classes, self._truths[key])
