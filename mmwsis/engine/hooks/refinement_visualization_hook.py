"""Draw the labels that BESTIE refines while it trains."""

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmwsis.formats.refinement_records import FOLDER, delete_records, write_record
from mmwsis.registry import HOOKS
from mmwsis.visualization.coco_files import tagged_indices
from mmwsis.visualization.refinement_figure import (
    crop_images,
    record_of,
    refined_labels,
    refinement_sheet,
    training_crops,
)


@HOOKS.register_module()
class RefinementVisualizationHook(Hook):
    """Every so often, draw the pseudo and the refined labels of the same few crops.

    The figure goes to all backends of the visualizer (PNG files, TensorBoard...). It
    shows what Fig. 5 of `BESTIE <https://arxiv.org/abs/2109.09477>`_ shows. The crops
    are of images at equal distances in the dataset, with random numbers of their own,
    so that a resumed training draws the same ones, and the training is not changed.
    The refined labels are also written into the work directory, some megabytes a
    figure (``refinement/iter_*.npz``): ``show_bestie.py`` and the report draw early
    moments from them, whose checkpoints have gone.

    Args:
        interval: Iterations between two figures; the first iteration is drawn too.
            Defaults to 1000.
        num_samples: Crops per figure. Defaults to 3.
        draw: Whether to draw at all. Defaults to True.
        seed: Seed of the random crops. Defaults to 0.

    Raises:
        ValueError: ``interval`` or ``num_samples`` is not positive.
    """

    priority = 'LOW'

    def __init__(
        self,
        interval: int = 1000,
        num_samples: int = 3,
        draw: bool = True,
        seed: int = 0,
    ) -> None:
        if interval < 1 or num_samples < 1:
            raise ValueError(
                'interval and num_samples must be at least 1, got '
                f'{interval} and {num_samples}.'
            )
        self.interval = interval
        self.num_samples = num_samples
        self.draw = draw
        self.seed = seed
        self._indices: list[int] | None = None
        self._crops: dict[str, list] = {}

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Draw, when it is time.

        Args:
            runner: The runner.
            batch_idx: Index in the epoch; not used.
            data_batch: Batch of crops as loaded; not used.
            outputs: Losses; not used.
        """
        due = runner.iter == 0 or (runner.iter + 1) % self.interval == 0
        if not (due and self.draw and is_main_process()):
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        # Without refinement (an ablation) there is nothing to see.
        if getattr(model, 'refinement', None) is None or not self._find_crops(runner):
            return
        samples, found = refined_labels(model, self._crops)
        step = runner.iter + 1
        sheet = refinement_sheet(
            crop_images(model, self._crops), samples, [(f'iteration {step}', found)]
        )
        runner.visualizer.add_image('refinement', sheet, step=step)
        folder = Path(runner.work_dir) / FOLDER
        if step == 1:  # those of another training
            delete_records(folder)
        record = record_of(self._crops, found, self._indices, self.seed)
        write_record(folder, step, record)

    def _find_crops(self, runner: Runner) -> bool:
        """Load the crops once; False if no image has a tag."""
        dataset = runner.train_dataloader.dataset
        if self._indices is None:
            try:
                self._indices = tagged_indices(dataset, self.num_samples)
            except ValueError:  # semantics alone can be learned
                self._indices = []
            if self._indices:
                self._crops = training_crops(dataset, self._indices, self.seed)
        return bool(self._indices)
