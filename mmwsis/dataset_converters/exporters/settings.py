"""What the user of an export may choose."""

from dataclasses import dataclass
from pathlib import Path

SHAPES = ('polygon', 'mask')
PARTS = ('bridge', 'split')
IMAGES = ('none', 'link', 'copy')
LOCAL_FILES = '/data/local-files/?d='  # Label Studio's own storage


@dataclass(frozen=True)
class ExportSettings:
    """What the user may choose; see the command line's help.

    Attributes:
        img_dir: The image folder. Sizes are compared with the files there, and where a
            format names images by their place, the names lead there.
        shape: 'polygon': outlines that annotators can edit, and masks only where the
            format has no outline that says the same; 'mask': masks. None: 'polygon',
            and in COCO whatever the label file has.
        tolerance: Corners are left out as long as the outline stays within so many
            pixels; 0 leaves out none.
        parts: 'bridge': YOLO has one outline per object, whose components are joined by
            seams; 'split': every component becomes an object of its own.
        image_url: Label Studio: what stands before the file names in the addresses of
            the images.
        val: YOLO and COCO: a label file of the validation images, for the same folder.
        val_img_dir: The folder of its images. Defaults to ``img_dir``.
        images: 'link' or 'copy' puts the images beside the labels, 'none' does not.
    """

    img_dir: Path | None = None
    shape: str | None = None
    tolerance: float = 0.0
    parts: str = 'bridge'
    images: str = 'none'
    image_url: str = LOCAL_FILES
    val: Path | None = None
    val_img_dir: Path | None = None

    def __post_init__(self) -> None:
        for name, choices in (
            ('shape', (None, *SHAPES)),
            ('parts', PARTS),
            ('images', IMAGES),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f'{name} must be one of {choices}, given {getattr(self, name)!r}'
                )
        if not 0 <= self.tolerance < float('inf'):
            raise ValueError(
                f'tolerance must be a number of pixels >= 0, given {self.tolerance}'
            )
        if self.images != 'none' and self.img_dir is None:
            raise ValueError(f'to {self.images} images, their folder must be given')
