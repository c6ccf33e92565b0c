"""What the refinement of labels reads beside boxes: box label maps, full labels."""

from typing import Any, ClassVar

import numpy as np
from mmdet.evaluation import INSTANCE_OFFSET

from mmwsis.formats.categories import alike_hint
from mmwsis.formats.segment_maps import renumber
from mmwsis.formats.semantic_maps import BACKGROUND, IGNORE_INDEX
from mmwsis.registry import TRANSFORMS
from mmwsis.structures.supervision import Supervision

from .stored_maps import LoadPanopticMap, LoadSemanticMap

NO_THING = -1


@TRANSFORMS.register_module()
class LoadBoxLabelMap(LoadSemanticMap):
    """Load the label map that was made of the boxes of an image.

    Sets ``gt_box_map``, int16 (H, W): the dataset's class ``k``, matched by name, as
    ``k``; -1 where boxes tell that there is no thing, whether or not the dataset has a
    class 'background'; 255 unknown. The folder is opened at the first sample, once per
    process.

    Args:
        folder: Semantic maps of 'background' and the things, as
            ``tools/generate_pseudo_labels.py --artifact semantic_maps`` writes them of
            ``mmwsis.GrabCutProposals``.
    """

    field: ClassVar[str] = 'gt_box_map'

    def __init__(self, folder: str) -> None:
        super().__init__(folder)

    def _values(self, names: tuple[str, ...], classes: tuple[str, ...]) -> np.ndarray:
        things = [name for name in names if name != BACKGROUND]
        unknown = [name for name in things if name not in classes]
        if BACKGROUND not in names or unknown:
            raise ValueError(
                f'{self.folder} holds maps of {names}; expected {BACKGROUND!r} and '
                f'things among {classes}.{alike_hint(unknown, classes)}'
            )
        table = np.full(256, IGNORE_INDEX, np.int16)
        for number, name in enumerate(names):
            table[number] = NO_THING if name == BACKGROUND else classes.index(name)
        return table

    def __repr__(self) -> str:
        return f'{type(self).__name__}(folder={self.folder!r})'


@TRANSFORMS.register_module()
class LoadFullLabels(LoadPanopticMap):
    """Load the panoptic map of fully labelled images; of no other one.

    For semi-supervision: an image is fully labelled if its level is 'masks', by
    ``images[].supervision`` of its file and the dataset's ``supervision``. It gets
    ``gt_panoptic_map``, int32 (H, W): ``label + 1000 * instance``, things that are not
    told apart (crowds) and stuff with instance 0, and the number of classes where there
    is no segment. Images at weaker levels stay as they are: nothing is read of them.

    Args:
        ann_file: COCO panoptic JSON of labels that people drew. Defaults to None, no
            image is fully labelled.
        seg_prefix: Folder of its PNGs. Defaults to that of its name without ``.json``.
    """

    def __init__(
        self, ann_file: str | None = None, seg_prefix: str | None = None
    ) -> None:
        super().__init__(ann_file, seg_prefix, with_stuff=False)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load the map of ``results['img_id']``, if the image's level allows it.

        Args:
            results: Data of an image of ``mmwsis.CocoWeakDataset``.

        Returns:
            ``results``.

        Raises:
            FileNotFoundError: The JSON, or the PNG of the image, does not exist.
            ValueError: There is an image of level 'masks' and no ``ann_file``; the file
                has no such image or other classes than the dataset; or the PNG is
                damaged or of another size. The message names it.
        """
        if results['supervision'] != Supervision.MASKS.label:
            return results
        if self.ann_file is None:
            raise ValueError(
                f'image id {results["img_id"]} is fully labelled (level '
                f"'masks'), but LoadFullLabels has no ann_file: its panoptic JSON."
            )
        ids, segments = self._read(results)
        numbers = self._numbers(segments)
        codes = {
            one['id']: self._labels[one['category_id']]
            + INSTANCE_OFFSET * numbers.get(one['id'], 0)
            for one in segments
        }
        results['gt_panoptic_map'] = renumber(ids, codes, len(results['classes']))
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(ann_file={self.ann_file!r}, '
            f'seg_prefix={self.seg_prefix!r})'
        )
