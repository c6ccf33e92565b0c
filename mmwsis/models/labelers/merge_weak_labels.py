"""The first ground truth of weakly-supervised panoptic segmentation."""

from typing import Any, ClassVar

from mmdet.structures import DetDataSample
from torch import Tensor

from mmwsis.registry import MODELS

from .label_refinement import LabelRefinement
from .weight_free_labeler import WeightFreeLabeler


@MODELS.register_module()
class MergeWeakLabels(WeightFreeLabeler):
    """Makes one panoptic map of a label map from tags and one from boxes.

    Round 0 of `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li et al., ECCV 2018, sections 3.2 and 3.3):
    the label map that Grad-CAM made of tags (``gt_sem_seg`` of
    ``mmwsis.LoadSemanticMap``) is refined by tags, box label map and boxes; see
    :class:`LabelRefinement`, whose settings the keys of ``test_cfg`` are. Fully
    labelled images keep their own map.

    Args:
        num_things_classes: Number of things, the first labels.
        num_stuff_classes: Number of classes of stuff, the labels after them.
        test_cfg: Settings. Defaults to None.
        data_preprocessor: See the base class. Defaults to None.
    """

    cpu_only: ClassVar[bool] = True
    artifacts: ClassVar[tuple[str, ...]] = ('panoptic_maps',)
    test_defaults: ClassVar[dict[str, Any]] = dict(
        tags=True,
        image_level=False,
        merge=True,
        box_prior=True,
        low_iou=0.5,
        keep_things=True,
        full_box=False,
        instances=True,
        prior_label=None,
    )

    def __init__(
        self,
        num_things_classes: int,
        num_stuff_classes: int,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(test_cfg, data_preprocessor)
        self.refinement = LabelRefinement(
            num_things_classes, num_stuff_classes, **self.test_cfg
        )

    def label(self, image: Tensor, sample: DetDataSample) -> None:
        """Fill ``pred_panoptic_seg``; see the base class."""
        if 'gt_sem_seg' not in sample:
            raise ValueError(
                f'image id {sample.get("img_id")!r} has no label map from tags; load '
                'it with mmwsis.LoadSemanticMap.'
            )
        self.refinement(image, sample.gt_sem_seg.sem_seg[0], sample)
