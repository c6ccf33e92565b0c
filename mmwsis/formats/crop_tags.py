"""Tags of the overlapping crops of an image: the key ``images[].crop_tags``."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mmwsis.ops.crop_grid import crop_grid

from .coco_masks import shorten
from .validation.columns import is_id


class CropTags(NamedTuple):
    """Which categories each crop of an image shows.

    Attributes:
        size: Height and width of a crop in pixels of the image.
        tags: Category ids of each crop, in the order of
            :func:`mmwsis.ops.crop_grid`: column after column.
    """

    size: tuple[int, int]
    tags: list[list[int | str]]

    @classmethod
    def parse(cls, entry: Any, image_size: tuple[int, int]) -> 'CropTags':
        """Read an entry of a label file.

        Args:
            entry: ``dict(size=[h, w], tags=[[ids], ...])``.
            image_size: Height and width of the image in pixels.

        Raises:
            ValueError: The entry is of another form, the crop is larger than the image,
                or there are not as many lists as crops.

        Example:
            >>> CropTags.parse(dict(size=[4, 3], tags=[[7], [7, 9]]), (4, 6))
            CropTags(size=(4, 3), tags=[[7], [7, 9]])
        """
        valid = isinstance(entry, Mapping) and {'size', 'tags'} <= entry.keys()
        if not valid or not _are_lists_of_ids(entry['tags']):
            raise ValueError(
                'crop_tags must be {"size": [height, width], "tags": [[category ids], '
                f'...]}}; got {shorten(entry)}.'
            )
        try:
            count = len(crop_grid(image_size, entry['size']))
        except ValueError as error:
            raise ValueError(f'crop_tags: {error}') from None
        (height, width), size = image_size, tuple(entry['size'])
        if len(entry['tags']) != count:
            raise ValueError(
                f'crop_tags: expected {count} lists of category ids, one for each crop '
                f'of {size[0]} x {size[1]} pixels (height x width) of an image of '
                f'{height} x {width}, got {len(entry["tags"])}.'
            )
        return cls(size, entry['tags'])

    @property
    def all_tags(self) -> tuple[int | str, ...]:
        """The categories of all crops, each once."""
        return tuple(dict.fromkeys(tag for tags in self.tags for tag in tags))


def _are_lists_of_ids(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(ids, list) and all(map(is_id, ids)) for ids in value
    )
