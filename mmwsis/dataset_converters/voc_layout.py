"""Where VOC 2012 and SBD keep their files, and which images make up a split."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .image_records import read_list

SPLITS = ('train', 'val', 'trainval', 'train_aug')
_VOC_NAME = re.compile(r'(\d{4})_(\d{6})')


@dataclass(frozen=True)
class VocLayout:
    """Folders of VOC and, where there is one, of SBD.

    Attributes:
        voc: Folder with JPEGImages, SegmentationClass, SegmentationObject, ImageSets
            and Annotations; 'VOCdevkit/VOC2012' of the official archive.
        sbd: Folder with inst, cls, train.txt and val.txt; 'benchmark_RELEASE/dataset'
            of the official archive. None without SBD.
    """

    voc: Path
    sbd: Path | None = None

    def image(self, name: str) -> Path:
        """Photograph of an image."""
        return self.voc / 'JPEGImages' / f'{name}.jpg'

    def classes(self, name: str) -> Path:
        """VOC's class map of an image."""
        return self.voc / 'SegmentationClass' / f'{name}.png'

    def objects(self, name: str) -> Path:
        """VOC's object map of an image."""
        return self.voc / 'SegmentationObject' / f'{name}.png'

    def boxes(self, name: str) -> Path:
        """VOC's box annotations of an image."""
        return self.voc / 'Annotations' / f'{name}.xml'

    def split_file(self, split: str) -> Path:
        """List of the images of a segmentation split."""
        return self.voc / 'ImageSets' / 'Segmentation' / f'{split}.txt'


def find_layout(voc: str | Path, sbd: str | Path | None = None) -> VocLayout:
    """Find the folders, whether the archives' outer folders are given or inner ones.

    Args:
        voc: Folder of VOC 2012, or the devkit's folder around it.
        sbd: Folder of SBD's annotations, or that of the archive around it.

    Returns:
        The layout.

    Raises:
        FileNotFoundError: No such folder lies there.
    """
    inner = _inner(
        Path(voc), ('.', 'VOC2012', 'VOCdevkit/VOC2012'), ('JPEGImages',), 'VOC 2012'
    )
    if sbd is None:
        return VocLayout(inner)
    folders = ('.', 'dataset', 'benchmark_RELEASE/dataset')
    return VocLayout(inner, _inner(Path(sbd), folders, ('inst',), 'SBD'))


def split_names(layout: VocLayout, split: str) -> list[str]:
    """Names of the images of a split.

    ``train_aug`` is SBD's train and val together with VOC's train, less VOC's val: no
    image of VOC's val may be trained on, though SBD has masks for some. It is built
    from these four lists.

    Args:
        layout: Where the lists are.
        split: One of :data:`SPLITS`, or a text file with one image name per line.

    Returns:
        The names; those of ``train_aug`` sorted, others in the order of their list.

    Raises:
        FileNotFoundError: A list is missing.
        ValueError: ``train_aug`` without SBD, or a broken list.
    """
    if split not in SPLITS:
        return read_list(split)
    if split != 'train_aug':
        return read_list(layout.split_file(split))
    if layout.sbd is None:
        raise ValueError(
            "split 'train_aug' needs the masks of SBD; give its folder with --sbd"
        )
    names = set(read_list(layout.split_file('train')))
    for part in ('train', 'val'):
        names.update(read_list(layout.sbd / f'{part}.txt'))
    return sorted(names - set(read_list(layout.split_file('val'))))


def image_ids(names: Sequence[str]) -> list[int]:
    """Ids of images: 2007000032 for '2007_000032', so that they agree between splits.

    Args:
        names: All names of a file.

    Returns:
        One id per name; 1, 2, 3, ... where a name is not of VOC's form.
    """
    matches = [_VOC_NAME.fullmatch(name) for name in names]
    if all(matches):
        return [int(match[1] + match[2]) for match in matches]
    return list(range(1, len(names) + 1))


def _inner(
    given: Path, folders: tuple[str, ...], needed: tuple[str, ...], what: str
) -> Path:
    for folder in folders:
        path = given / folder
        if all((path / name).is_dir() for name in needed):
            return path
    raise FileNotFoundError(
        f'{given}: expected the folder of {what}, with {", ".join(needed)} in it or in '
        f'one of {", ".join(folders[1:])}'
    )
