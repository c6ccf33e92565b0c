"""Draw a labeler's masks in validation and testing; works with ``--show-dir``."""

import os.path as osp
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.visualization import Visualizer

from mmwsis.registry import HOOKS
from mmwsis.visualization.coco_files import read_image
from mmwsis.visualization.object_tiles import object_tiles
from mmwsis.visualization.sheet import contact_sheet, save_image
from mmwsis.visualization.weak_labels import extreme_point_legend


@HOOKS.register_module()
class CropPredictionVisualizationHook(Hook):
    """Weak label, ground truth and predicted mask of single objects, side by side.

    Takes the arguments of ``mmdet.DetVisualizationHook``, so that ``tools/test.py
    --show`` and ``--show-dir`` work with labelers as they do with detectors.

    Args:
        draw: Whether to draw; ``--show`` and ``--show-dir`` switch it on. Defaults to
            False.
        interval: In validation every ``interval``-th batch is drawn. Defaults to 50.
        max_samples: In validation at most so many objects of a batch. Defaults to 4.
        score_thr: A prediction that scores lower is not drawn. Defaults to 0.
        show: Open a window. Defaults to False.
        wait_time: Seconds that the window stays. Defaults to 0.
        test_out_dir: Folder below the run's time stamp for images of a test run.
            Defaults to None.
        backend_args: Accepted for compatibility; images are read from disk. Defaults to
            None.
    """

    def __init__(
        self,
        draw: bool = False,
        interval: int = 50,
        max_samples: int = 4,
        score_thr: float = 0.0,
        show: bool = False,
        wait_time: float = 0.0,
        test_out_dir: str | None = None,
        backend_args: dict | None = None,
    ) -> None:
        self.draw = draw
        self.interval = interval
        self.max_samples = max_samples
        self.score_thr = score_thr
        self.show = show
        self.wait_time = wait_time
        self.test_out_dir = test_out_dir
        self._test_index = 0

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Log the first objects of a validation batch as one image.

        Args:
            runner: The runner.
            batch_idx: Index of the batch.
            data_batch: As loaded.
            outputs: Predicted samples.
        """
        if not self.draw or batch_idx % self.interval or not is_main_process():
            return
        data = {key: data_batch[key][: self.max_samples] for key in data_batch or ()}
        rows = self._rows(runner, data, outputs[: self.max_samples])
        sheet = contact_sheet(
            [tile for row in rows for tile in row],
            max(len(row) for row in rows),
            f'Validation at iteration {runner.iter}',
            extreme_point_legend(outputs[: self.max_samples]),
        )
        step = runner.iter + batch_idx
        runner.visualizer.add_image('val_masks', sheet, step=step)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Draw every object of a test batch, one image per object.

        Args:
            runner: The runner.
            batch_idx: Index of the batch; not used.
            data_batch: As loaded.
            outputs: Predicted samples.
        """
        if not self.draw:
            return
        rows = self._rows(runner, data_batch, outputs)
        for sample, tiles in zip(outputs, rows, strict=True):
            self._test_index += 1
            sheet = contact_sheet(tiles, len(tiles), '', extreme_point_legend([sample]))
            name = self._file_name(sample)
            if self.test_out_dir is not None:
                folder = osp.join(runner.work_dir, runner.timestamp, self.test_out_dir)
                save_image(Path(folder, name), sheet)
            if self.show:
                visualizer = Visualizer.get_current_instance()
                visualizer.show(sheet, win_name=name, wait_time=self.wait_time)
            elif self.test_out_dir is None and is_main_process():
                runner.visualizer.add_image('test_masks', sheet, step=self._test_index)

    def _rows(self, runner: Runner, data_batch: dict | None, outputs: Sequence) -> list:
        """Tiles of each sample."""
        return [self._tiles(runner, sample) for sample in outputs]

    def _file_name(self, sample: Any) -> str:
        # Two sub-folders may have an image of one name; ids are unique.
        number = sample.get('ann_id', sample.get('img_id'))
        return f'{Path(sample.img_path).stem}_{number}.png'

    def _tiles(self, runner: Runner, sample: Any) -> list:
        classes = (runner.visualizer.dataset_meta or {}).get('classes') or ()
        score = sample.get('pred_score')
        return object_tiles(
            read_image(sample.img_path),
            sample,
            classes,
            draw_pred=score is None or float(score) >= self.score_thr,
        )
