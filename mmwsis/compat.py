"""Every touch of upstream internals, in one place.

- MMEngine keeps a closed list of prefixes that ``_base_ = 'prefix::path.py'`` may
  have; ours is added.
- MMEngine parses all metafiles of a package again for every ``_base_`` in it.
- MMEngine 0.10.7 saves checkpoints that torch >= 2.6 refuses to load with
  ``weights_only=True``, because they carry a ``HistoryBuffer`` and numpy scalars. The
  needed globals are allow-listed; the safety itself stays on.
- MMEngine chooses a CUDA device for every process, which a machine without one cannot.
- MMEngine reads downloaded checkpoints without that safety, which is turned on.
- MMEngine resumes training by iterations by loading all data again that was seen.
- MMEngine and MMCV import pkg_resources, which warns on every reload of itself.
- pycocotools reads files in the encoding of the locale, and no byte order mark.
- MMDetection draws no panoptic prediction without segments, and hands none over to
  users without panopticapi, which is not on PyPI.
"""

import contextlib
import functools
import itertools
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any


def apply_compat() -> None:
    """Make everything that upstream needs known to it; safe to call twice."""
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated')
    register_config_prefix()
    find_package_configs_once()
    allow_checkpoint_globals()
    read_checkpoints_safely()
    read_coco_files_in_any_encoding()


def read_coco_files_in_any_encoding() -> None:
    """Let pycocotools, and so MMDetection's datasets and metrics, parse as we do.

    It opens files in the encoding of the locale, which is not UTF-8 everywhere, and
    fails on a byte order mark, which Windows' editors and shells write.
    """
    import pycocotools.coco as module

    from mmwsis.formats.json_file import read_json, refuse_other_json

    plain = module.COCO.__init__
    if hasattr(plain, '__wrapped__'):
        return

    @functools.wraps(plain)
    def read(self: Any, annotation_file: str | None = None) -> None:
        plain(self)
        if annotation_file is not None:
            self.dataset = read_json(str(annotation_file))
            refuse_other_json(self.dataset, str(annotation_file))
            self.createIndex()

    module.COCO.__init__ = read


def show_all_panoptic_predictions() -> None:
    """Let MMDetection's visualizer and inferencer take any panoptic prediction.

    The visualizer stacks the areas of the segments, of which there may be none. The
    inferencer needs a constant and one function of panopticapi.
    """
    import mmdet.apis.det_inferencer as inferencer
    import numpy as np
    from mmdet.visualization import DetLocalVisualizer

    if inferencer.VOID is None:
        inferencer.VOID = 0
        inferencer.id2rgb = lambda ids: np.stack(
            [ids >> shift & 255 for shift in (0, 8, 16)], axis=-1
        )
    plain = DetLocalVisualizer._draw_panoptic_seg
    if hasattr(plain, '__wrapped__'):
        return

    @functools.wraps(plain)
    def draw(self: Any, image: Any, panoptic: Any, classes: Any, palette: Any) -> Any:
        if (panoptic.sem_seg == len(classes)).all():
            return image
        return plain(self, image, panoptic, classes, palette)

    DetLocalVisualizer._draw_panoptic_seg = draw


def find_package_configs_once() -> None:
    """Let MMEngine remember where ``'mmdet::mask_rcnn/x.py'`` lies.

    For each such name it parses the metafiles of all models of the package, 0.3 s.
    """
    import mmengine.config.utils as module

    plain = module._get_cfg_metainfo
    if not hasattr(plain, 'cache_info'):
        module._get_cfg_metainfo = functools.cache(plain)


def allow_checkpoint_globals() -> None:
    """Allow-list the globals of MMEngine checkpoints for ``weights_only=True``."""
    import numpy as np
    import torch

    major, minor = (int(part) for part in torch.__version__.split('.')[:2])
    if (major, minor) < (2, 6):  # weights_only is off there
        return
    from mmengine.logging.history_buffer import HistoryBuffer

    core = getattr(np, '_core', None) or np.core
    kinds = ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'b1')
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            (_history_buffer_method, 'builtins.getattr'),
            core.multiarray._reconstruct,
            core.multiarray.scalar,
            np.ndarray,
            np.dtype,
            *{type(np.dtype(kind)) for kind in kinds},
        ]
    )


def read_checkpoints_safely() -> None:
    """Let MMEngine read checkpoints with ``weights_only`` and our messages.

    That is every ``load_from``, ``--resume`` and ``init_cfg``. MMEngine leaves the
    default of torch to local files, and asks for the unsafe way for downloaded ones.
    """
    import mmengine.runner.checkpoint as module

    from mmwsis.utils.checkpoint import load_checkpoint_file

    module.CheckpointLoader.register_scheme('', load_checkpoint_file, force=True)
    if not isinstance(module.load_url, functools.partial):
        module.load_url = functools.partial(module.load_url, weights_only=True)


def join_cpu_processes() -> None:
    """Join the process group of ``torchrun`` on a machine without a GPU.

    MMEngine leaves a group alone that exists already.
    """
    import torch.distributed

    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')


def move_training_data_to(loop: Any, iteration: int) -> None:
    """Let the data of ``IterBasedTrainLoop`` start at an iteration.

    MMEngine calls ``next`` on its iterator once an iteration that it goes past; these
    calls then cost nothing.

    Args:
        loop: The training loop. Another one, or a batch sampler whose batches have no
            fixed size, is left alone.
        iteration: Iterations that were finished before; the loader's sampler has a
            ``start``, counted in samples.
    """
    from torch.utils.data import BatchSampler

    batches = loop.dataloader.batch_sampler
    if not hasattr(loop, 'dataloader_iterator') or type(batches) is not BatchSampler:
        return
    loop.dataloader.sampler.start = iteration * batches.batch_size
    iterator = type(loop.dataloader_iterator)(loop.dataloader)
    loop.dataloader_iterator = itertools.chain(
        itertools.repeat({}, iteration), iterator
    )


def _history_buffer_method(owner: Any, name: str) -> Any:
    """Stand in for ``getattr`` while a checkpoint is read.

    A ``HistoryBuffer`` is pickled with its statistics, ``getattr(HistoryBuffer,
    'mean')`` and the like. The real ``getattr`` would open the door to everything.
    """
    from mmengine.logging.history_buffer import HistoryBuffer

    if owner is not HistoryBuffer or name.startswith('_'):
        raise pickle.UnpicklingError(
            f'the checkpoint asks for attribute {name!r} of {owner!r}, which a '
            'checkpoint of MMEngine never does; do not trust this file'
        )
    return getattr(owner, name)


def register_config_prefix() -> None:
    """Let ``_base_ = 'mmwsis::exits/solov2_r50.py'`` resolve."""
    import mmengine.config.utils

    known = getattr(mmengine.config.utils, 'MODULE2PACKAGE', None)
    if isinstance(known, dict):
        # MMEngine asks pkg_resources for the distribution of this name and would
        # then look in site-packages, where an editable install has no folder. A
        # module's name is no distribution, so MMEngine asks the import system.
        known.setdefault('mmwsis', 'mmwsis.version')


@contextlib.contextmanager
def replaced_coco_eval(evaluator: Callable[[Any, Any, str], Any]) -> Iterator[None]:
    """Let MMDetection's ``CocoMetric`` use another ``COCOeval`` inside ``with``.

    The class is a global of the metric's module, not an argument. An empty list of
    predictions is loaded as one: upstream ends without any figure.

    Args:
        evaluator: Called like ``COCOeval``, with ground truth, predictions and the
            kind of overlap.
    """
    import mmdet.evaluation.metrics.coco_metric as module

    original, load = module.COCOeval, module.COCO.loadRes

    def load_results(gt: Any, results: Any) -> Any:
        if len(results):
            return load(gt, results)
        empty = type(gt)()
        empty.dataset = {**gt.dataset, 'annotations': []}
        empty.createIndex()
        return empty

    module.COCOeval, module.COCO.loadRes = evaluator, load_results
    try:
        yield
    finally:
        module.COCOeval, module.COCO.loadRes = original, load
