"""Draw the point retrieval of EXITS while its labeler trains."""

from collections.abc import Sequence
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmwsis.registry import HOOKS
from mmwsis.visualization.retrieval import retrieval_sheet
from mmwsis.visualization.retrieval_figure import retrieval_figures


@HOOKS.register_module()
class RetrievalVisualizationHook(Hook):
    """Every so often, draw initial and pseudo points, scores and similarity.

    The figure goes to all backends of the visualizer (PNG files, TensorBoard...). It
    shows what Fig. 6 of `EXITS <https://arxiv.org/abs/2405.20729>`_ shows, for a few
    samples of the training batch, before point dropout. The training is not changed by
    drawing.

    Args:
        interval: Iterations between two figures; the first iteration is drawn too.
            Defaults to 1000.
        num_samples: Crops per figure. Defaults to 4.
        draw: Whether to draw at all. Defaults to True.

    Raises:
        ValueError: ``interval`` or ``num_samples`` is not positive.
    """

    priority = 'LOW'

    def __init__(
        self, interval: int = 1000, num_samples: int = 4, draw: bool = True
    ) -> None:
        if interval < 1 or num_samples < 1:
            raise ValueError(
                'interval and num_samples must be at least 1, got '
                f'{interval} and {num_samples}.'
            )
        self.interval = interval
        self.num_samples = num_samples
        self.draw = draw

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
            data_batch: Batch of object crops as loaded.
            outputs: Losses; not used.
        """
        due = runner.iter == 0 or (runner.iter + 1) % self.interval == 0
        if not (self.draw and due and is_main_process()):
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        figures = retrieval_figures(
            model, data_batch, self.num_samples, _classes(runner)
        )
        title = f'EXITS point retrieval, iteration {runner.iter + 1}'
        sheet = retrieval_sheet(figures, title)
        runner.visualizer.add_image('retrieval', sheet, step=runner.iter + 1)


def _classes(runner: Any) -> Sequence[str]:
    """Class names of the training set, where it has any."""
    dataset = runner.train_dataloader.dataset
    return (getattr(dataset, 'metainfo', None) or {}).get('classes') or ()
