"""Draw what the network is shown: the start of the training as pictures."""

from collections.abc import Mapping

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmwsis.registry import HOOKS
from mmwsis.visualization.samples import crop_tiles, detection_tile
from mmwsis.visualization.sheet import contact_sheet
from mmwsis.visualization.weak_labels import extreme_point_legend


@HOOKS.register_module()
class TrainingBatchVisualizationHook(Hook):
    """Draw the labels of a training batch onto its transformed images.

    A wrong crop, flip, channel order or label shows at once. The picture goes to all
    backends of the visualizer.

    Args:
        interval: Iterations between two pictures; 0 draws the first batch only.
        num_samples: Samples a picture.
        draw: Whether to draw at all.
    """

    priority = 'LOW'

    def __init__(
        self, interval: int = 0, num_samples: int = 8, draw: bool = True
    ) -> None:
        if interval < 0 or num_samples < 1:
            raise ValueError(
                'interval must be at least 0 and num_samples at least 1, got '
                f'{interval} and {num_samples}.'
            )
        self.interval = interval
        self.num_samples = num_samples
        self.draw = draw

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Draw, when it is time.

        Args:
            runner: The runner.
            batch_idx: Index in the epoch; not used.
            data_batch: Batch of object crops or whole images as loaded.
        """
        due = runner.iter == 0 or (self.interval and runner.iter % self.interval == 0)
        if not (self.draw and due and is_main_process()):
            return
        classes = (runner.train_dataloader.dataset.metainfo or {}).get('classes') or ()
        inputs, samples = data_batch['inputs'], data_batch['data_samples']
        tiles, columns = [], 4
        for index, sample in enumerate(samples[: self.num_samples]):
            if isinstance(inputs, Mapping):
                views = {name: images[index] for name, images in inputs.items()}
                tiles += crop_tiles(views, sample, classes)
            else:
                preprocessor = runner.cfg.get('model', {}).get('data_preprocessor', {})
                bgr = bool(preprocessor.get('bgr_to_rgb', True))
                tiles.append(detection_tile(inputs[index], sample, classes, bgr))
        title = f'Training batch, iteration {runner.iter + 1}'
        legend = extreme_point_legend(samples)
        sheet = contact_sheet(tiles, columns, title, legend)
        runner.visualizer.add_image('training_batch', sheet, step=runner.iter + 1)
