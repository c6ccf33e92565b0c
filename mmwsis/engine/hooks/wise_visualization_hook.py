"""Draw how WISE comes to its instances; works with ``--show-dir``."""

from collections.abc import Sequence

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmwsis.registry import HOOKS
from mmwsis.visualization.wise_figure import batch_tiles

from .crop_prediction_visualization_hook import CropPredictionVisualizationHook


@HOOKS.register_module()
class WISEVisualizationHook(CropPredictionVisualizationHook):
    """Blobs, embedding, assignment and instances beside the truth, a file per image.

    Takes the arguments of :class:`CropPredictionVisualizationHook`, of which
    ``score_thr`` is not used; ``tools/test.py --show`` and ``--show-dir`` switch it on.
    The network is run once more on what is drawn.
    """

    def _rows(self, runner: Runner, data_batch: dict | None, outputs: Sequence) -> list:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        classes = (runner.visualizer.dataset_meta or {}).get('classes') or ()
        return batch_tiles(model, data_batch, classes)
