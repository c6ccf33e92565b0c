"""Images without labels, for self-supervised pretraining."""

import os.path as osp
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.fileio import list_dir_or_file

from mmwsis.formats.coco_file import image_file_name, load_coco
from mmwsis.registry import DATASETS
from mmwsis.structures.supervision import Supervision

from .seeded_samplers import SeededDraws

_EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.ppm')


@DATASETS.register_module()
class UnlabelledImageDataset(SeededDraws, BaseDataset):
    """Plain images, from a COCO JSON's ``images`` or from a folder.

    The data of a sample are ``img_id``, ``img_path`` and, from a JSON, ``height`` and
    ``width``. The JSON is read at supervision 'image_tags' and the tags are left out
    too, so nothing of its annotations is reachable. From a folder, the id of an image
    is its path below the folder.

    Args:
        ann_file: COCO JSON; empty to list the folder ``data_prefix['img']`` with its
            subfolders.
        data_prefix: ``img``: folder of the images, relative to ``data_root``.
        extensions: File names that count as images in a folder, any case.
        backend_args: Arguments of MMEngine's file backend.
        **kwargs: Arguments of ``mmengine.dataset.BaseDataset``: ``data_root``,
            ``pipeline``, ``test_mode``, ``indices``, ``serialize_data``, ``lazy_init``.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: There is no image in it, or the JSON is broken.
    """

    def __init__(
        self,
        ann_file: str = '',
        *,
        data_prefix: dict | None = None,
        extensions: tuple[str, ...] = _EXTENSIONS,
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        self.extensions = tuple(extension.lower() for extension in extensions)
        self.backend_args = backend_args
        super().__init__(
            ann_file=ann_file,
            data_prefix=dict(img='') if data_prefix is None else data_prefix,
            **kwargs,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the images.

        Returns:
            One dictionary per image, in the order of the file or of the names.
        """
        folder = self.data_prefix['img']
        if self.ann_file:
            data_list = self._from_coco(folder)
        else:
            data_list = self._from_folder(folder)
        if not data_list:
            raise ValueError(
                f'{self.ann_file or folder}: there is no image; expected '
                f'{"entries in images" if self.ann_file else self.extensions}.'
            )
        return data_list

    def _from_coco(self, folder: str) -> list[dict[str, Any]]:
        coco = load_coco(
            self.ann_file, Supervision.IMAGE_TAGS, self.backend_args, need_tags=False
        )
        return [
            dict(
                img_id=image['id'],
                img_path=osp.join(folder, image_file_name(image)),
                height=image['height'],
                width=image['width'],
            )
            for image in coco['images']
        ]

    def _from_folder(self, folder: str) -> list[dict[str, Any]]:
        try:
            names = list_dir_or_file(
                folder,
                list_dir=False,
                suffix=None,
                recursive=True,
                backend_args=self.backend_args,
            )
            names = sorted(n for n in names if n.lower().endswith(self.extensions))
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(
                f'Image folder {folder!r} does not exist. Check data_root and '
                "data_prefix['img'] in the config."
            ) from None
        return [dict(img_id=n, img_path=osp.join(folder, n)) for n in names]
