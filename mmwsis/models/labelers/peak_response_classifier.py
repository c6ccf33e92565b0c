"""Classifier trained with image tags whose peaks become points of objects."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor
from torch.nn import functional as F

from mmwsis.models.original_size import points_at_original_size
from mmwsis.ops import find_peaks, stimulation_peaks
from mmwsis.ops.peaks import Peaks
from mmwsis.ops.tensor_checks import check_finite
from mmwsis.registry import MODELS

from .cam_classifier import CAMClassifier
from .multi_scale_cam import only_view

CLASSES = ('tags', 'predicted')


@MODELS.register_module()
class PeakResponseClassifier(CAMClassifier):
    """Points from image tags: peaks of class maps, traced back to the image.

    With them the networks that learn from points learn from tags (`WISE
    <https://arxiv.org/abs/1906.06392>`__, rows "PRM + E-Net" of its tables). As `peak
    response maps <https://arxiv.org/abs/1804.00880>`__ do it, in the form that WISE's
    authors released, with ``mmwsis.PeakStimulationHead``: every peak of the maps of the
    classes in the image is back-propagated to the image by itself, the ordinary
    gradients are summed over the colours, and the pixel where the sum is largest is the
    point. That takes one backward pass through the backbone for each peak.

    With ``back_propagate=False`` the peak is the point itself, on maps enlarged to the
    original image (CAM peaks). That is for any classifier whose head has
    ``class_maps`` of a stride up to 16, such as ``mmwsis.ClassMapHead``, whose maps are
    CAMs.

    Makes the artifact 'points'. Their scores are the values of the peaks over the
    largest of their class. Of points of several classes on one pixel that of the last
    class stays, as in the released code. Outside of generation, ``pred_class_maps``
    are those of ``map_extractor``, for pictures and metrics.

    ``test_cfg``: ``classes``, 'tags' (the default: those of the image's tags, known of
    training images) or 'predicted' (those of a logit of at least 0); ``back_propagate``
    (True); ``min_value`` (30.0), which a peak exceeds, None for no bound; ``min_share``
    (0.0) of the maximum of its map, which a peak reaches; ``min_distance`` (0.0) in
    pixels of the maps to a better peak of the same class; ``keep_best`` (False):
    whether the best peak of every class stays, however low.

    Args:
        backbone: Config.
        head: Config.
        map_extractor: Config. Defaults to None: MultiScaleCAM.
        test_cfg: Settings of the points. Defaults to None.
        data_preprocessor: Config of ``mmwsis.WholeImagePreprocessor``. Defaults to
            None.
        init_cfg: Initialisation of the whole. Defaults to None.

    Raises:
        ValueError: An unknown key in ``test_cfg``, or unknown ``classes``.

    Example:
        >>> from mmdet.structures import DetDataSample
        >>> _ = torch.manual_seed(0)
        >>> model = PeakResponseClassifier(
        ...     backbone=dict(type='mmdet.ResNet', depth=18, base_channels=8,
        ...                   stem_channels=8, out_indices=(3,)),
        ...     head=dict(type='mmwsis.PeakStimulationHead', num_classes=3,
        ...               in_channels=64),
        ...     map_extractor=dict(type='mmwsis.FlippedCAM'),
        ...     test_cfg=dict(min_value=None, keep_best=True)).eval()
        >>> sample = DetDataSample(metainfo=dict(
        ...     tags=[0, 2], img_shape=(64, 48), ori_shape=(128, 96)))
        >>> with torch.no_grad():
        ...     found = model(torch.rand(1, 3, 64, 48), [sample], mode='predict')[0]
        >>> found.pred_points.labels.unique().tolist()
        [0, 2]
    """

    artifacts = ('points',)
    points_need_maps = False
    test_defaults: ClassVar[dict[str, Any]] = dict(
        classes='tags',
        back_propagate=True,
        min_value=30.0,
        min_share=0.0,
        min_distance=0.0,
        keep_best=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.test_cfg['classes'] not in CLASSES:
            raise ValueError(
                f'test_cfg.classes must be one of {CLASSES}, got '
                f'{self.test_cfg["classes"]!r}.'
            )

    def find_points(self, views: Sequence[Tensor], sample: BaseDataElement) -> None:
        """Fill ``pred_points`` and ``pred_tag_logits`` of a sample.

        Args:
            views: The image, ``(3, h, w)``, normalised.
            sample: With the metainfo ``img_shape``, ``ori_shape`` and, for
                ``classes='tags'``, ``tags``.

        Raises:
            ValueError: Not one view, or a response that is not finite; the message
                names the image.
        """
        view = only_view(views, type(self).__name__)
        traced = self.test_cfg['back_propagate']
        with torch.set_grad_enabled(traced):  # generation runs without gradients
            image = view[None].detach().requires_grad_(traced)
            features = self.features(image)
            logits = self.head(features)[0].detach()
            labels = self._classes_of(sample, logits)
            maps = self.head.class_maps(features)[:, labels]
            if not traced and len(labels):  # nothing cannot be enlarged
                size = tuple(sample.ori_shape)
                maps = F.interpolate(maps, size, mode='bilinear', align_corners=True)
            peaks = self._peaks(maps[0].detach(), sample)
            points = peaks.points
            if traced:
                points = traced_points(image, maps[0], peaks)
                points = points_at_original_size(points.double(), sample)
        points, best = points.round().long(), maps[0].detach().flatten(1).amax(1)
        best = best[peaks.labels]
        # A maximum below 0 can only be kept as the best of its class.
        scores = torch.where(best > 0, peaks.scores / best, 1).clamp(0, 1)
        found = InstanceData(labels=labels[peaks.labels], points=points, scores=scores)
        sample.pred_points = found[one_per_pixel(found.labels, points)]
        sample.pred_tag_logits = logits

    def _classes_of(self, sample: BaseDataElement, logits: Tensor) -> Tensor:
        """Labels ``(K,)``, ascending, of the classes that are looked for."""
        if self.test_cfg['classes'] == 'predicted':
            return (logits >= 0).nonzero()[:, 0]
        return torch.tensor(sorted(sample.tags), dtype=torch.int64).to(logits.device)

    def _peaks(self, maps: Tensor, sample: BaseDataElement) -> Peaks:
        """Peaks of ``(K, H, W)`` that the settings keep."""
        settings, where = self.test_cfg, f'image id {sample.get("img_id")!r}'
        check_finite(f'{where}: class maps', maps, 'Did the training diverge?')
        best = maps.flatten(1).amax(1)[:, None, None]
        allowed = maps >= settings['min_share'] * best
        if settings['min_value'] is not None:
            allowed &= maps > settings['min_value']
        if settings['keep_best']:
            allowed |= maps == best
        # No two of them are neighbours, so none suppresses another one in its window.
        allowed &= stimulation_peaks(maps[None])[0]
        return find_peaks(maps, 3, mask=allowed, min_distance=settings['min_distance'])


def traced_points(image: Tensor, maps: Tensor, peaks: Peaks) -> Tensor:
    """The pixel of the image that each peak of its maps depends on most.

    The maximum of its peak response map: the gradient with respect to the image, summed
    over the colours.

    Args:
        image: ``(1, 3, h, w)``, normalised, with a gradient.
        maps: ``(K, h', w')``, computed from it.
        peaks: N of their pixels.

    Returns:
        ``(N, 2)`` int64 (x, y).
    """
    found = []
    for label, (x, y) in zip(peaks.labels.tolist(), peaks.points.tolist()):
        (gradient,) = torch.autograd.grad(maps[label, y, x], image, retain_graph=True)
        found.append(gradient[0].sum(0).argmax())
    pixels = torch.stack(found) if found else peaks.labels
    width = image.shape[-1]
    return torch.stack([pixels % width, pixels // width], dim=1)


def one_per_pixel(labels: Tensor, points: Tensor) -> Tensor:
    """Rows of points to keep: of one pixel's the last class's, there the first.

    Args:
        labels: ``(N,)``, ascending.
        points: ``(N, 2)`` integers.

    Returns:
        Indices of rows, ascending, int64.
    """
    labels, rows = labels.tolist(), {}
    for row, pixel in enumerate(map(tuple, points.tolist())):
        if pixel not in rows or labels[rows[pixel]] != labels[row]:
            rows[pixel] = row
    return torch.tensor(sorted(rows.values()), dtype=torch.int64, device=points.device)
