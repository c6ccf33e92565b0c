"""Draw the labels that BESTIE refines while it trains."""

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmwsis.registry import HOOKS
from mmwsis.visualization.refinement_figure import (
    crop_images,
    refined_labels,
    refinement_sheet,
)


@HOOKS.register_module()
class RefinementVisualizationHook(Hook):
    """Every so often, draw the pseudo and the refined labels of the same few crops.

    The figure goes to all backends of the visualizer (PNG files, TensorBoard...). It
    shows what Fig. 5 of `BESTIE <https://arxiv.org/abs/2109.09477>`_ shows, for crops
    of the first batch. The training is not changed by drawing.

    Args:
        interval: Iterations between two figures; the first iteration is drawn too.
            Defaults to 1000.
        num_samples: Crops per figure. Defaults to 3.
        draw: Whether to draw at all. Defaults to True.

    Raises:
        ValueError: ``interval`` or ``num_samples`` is not positive.
    """

    priority = 'LOW'

    def __init__(
        self, interval: int = 1000, num_samples: int = 3, draw: bool = True
    ) -> None:
        if interval < 1 or num_samples < 1:
            raise ValueError(
                'interval and num_samples must be at least 1, got '
                f'{interval} and {num_samples}.'
            )
        self.interval = interval
        self.num_samples = num_samples
        self.draw = draw
        self._crops: dict[str, list] | None = None

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
            data_batch: Batch of crops as loaded.
            outputs: Losses; not used.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        # Without refinement (an ablation) there is nothing to see.
        draws = (
            self.draw
            and is_main_process()
            and getattr(model, 'refinement', None) is not None
        )
        if draws and self._crops is None:
            count = self.num_samples
            self._crops = {key: data_batch[key][:count] for key in data_batch}
        due = runner.iter == 0 or (runner.iter + 1) % self.interval == 0
        if not (draws and due):
            return
        samples, found = refined_labels(model, self._crops)
        step = runner.iter + 1
        sheet = refinement_sheet(
            crop_images(model, self._crops), samples, [(f'iteration {step}', found)]
        )
        runner.visualizer.add_image('refinement', sheet, step=step)
