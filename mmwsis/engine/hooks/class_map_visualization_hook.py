"""Draw CAMs in validation and testing; works with ``--show-dir``."""

from typing import Any

from mmengine.runner import Runner

from mmwsis.registry import HOOKS
from mmwsis.visualization.coco_files import read_image
from mmwsis.visualization.maps import class_map_tiles

from .crop_prediction_visualization_hook import CropPredictionVisualizationHook


@HOOKS.register_module()
class ClassMapVisualizationHook(CropPredictionVisualizationHook):
    """The CAMs of an image's classes over the image, one file per image.

    Takes the arguments of :class:`CropPredictionVisualizationHook`, of which
    ``score_thr`` is not used; ``tools/test.py --show`` and ``--show-dir`` switch it on.

    Args:
        map_name: Map of ``pred_class_maps`` to draw. Defaults to 'high_res'.
        show_points: Draw ``pred_points``, the peaks, on the maps. Defaults to False.
        **kwargs: Other arguments.
    """

    def __init__(
        self, map_name: str = 'high_res', show_points: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.map_name = map_name
        self.show_points = show_points

    def _tiles(self, runner: Runner, sample: Any) -> list:
        classes = (runner.visualizer.dataset_meta or {}).get('classes') or ()
        found, points = sample.pred_class_maps, None
        if self.show_points:
            peaks = sample.pred_points
            points = [
                peaks.points[peaks.labels == label].cpu().numpy()
                for label in found.labels
            ]
        return class_map_tiles(
            read_image(sample.img_path),
            found.labels.tolist(),
            found[self.map_name].float().cpu().numpy(),
            classes,
            f'image {sample.get("img_id")}: ',
            points,
        )
