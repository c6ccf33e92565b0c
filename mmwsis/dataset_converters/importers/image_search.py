"""Finding the images that label files speak of."""

import functools
import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from .records import CHANGED, INVALID, LEFT_OUT, LabelledImage
from .settings import ImportSettings

IMAGE_SUFFIXES = (
    '.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.gif', '.jp2', '.ppm',
    '.pgm',
)  # fmt: skip
_SHOWN = 4


class Found(NamedTuple):
    """Where an image is.

    Attributes:
        file_name: Relative to the image folder; if there is no file, of the likeliest
            place.
        path: The file; None if there is none.
        note: What is odd about the place; empty if it is where the labels say.
        error: Why there is none, with the places looked at.
    """

    file_name: str
    path: Path | None = None
    note: str = ''
    error: str = ''


class ImageFolder:
    """An image folder.

    Its files are listed once, and only if an image is not where the labels say.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @functools.cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        """Images by their name without extension, folded."""
        found: dict[str, list[str]] = {}
        for folder, folders, names in os.walk(self.root):
            folders.sort()
            for name in sorted(names):
                if name.lower().endswith(IMAGE_SUFFIXES) and name[0] != '.':
                    path = os.path.relpath(os.path.join(folder, name), self.root)
                    found.setdefault(_stem(name), []).append(Path(path).as_posix())
        return found

    @functools.cached_property
    def _by_plain_name(self) -> dict[str, list[str]]:
        """Images by the name that Django's storage, and so Label Studio, gives them."""
        found: dict[str, list[str]] = {}
        for file in (file for files in self._by_stem.values() for file in files):
            name = _folded(PurePosixPath(file).name)
            plain = re.sub(r'[^-\w.]', '', name.strip().replace(' ', '_'))
            if plain != name:
                found.setdefault(plain, []).append(file)
        return found

    @property
    def has_images(self) -> bool:
        """Whether there is any image in the folder or below."""
        return bool(self._by_stem)

    def find(self, paths: Sequence[str]) -> Found:
        """Choose among the places where an image may be.

        A file at one of the places is taken, the first first. Else names without an
        extension, as those of the frames of a video, and in other letters (``A.JPG``)
        count there, then the file of the same name in the one folder that fits best,
        then another extension, and at last the name before an upload.

        Args:
            paths: Relative to the folder or absolute, the likeliest first; not empty.
        """
        places = [self._relative(path) for path in paths]
        for place in places:
            if os.path.isfile(os.path.join(self.root, place)):
                return self._at(place)
        likeliest = next((p for p in places if not p.startswith('../')), places[0])
        for search in (
            self._here,
            self._elsewhere,
            self._with_other_suffix,
            self._before_upload,
        ):
            found = search(likeliest, places)
            if found is not None:
                return found
        looked = [os.path.normpath(self.root / place) for place in places]
        looked = list(dict.fromkeys(looked))
        rest = f' and {len(looked) - _SHOWN} more' if len(looked) > _SHOWN else ''
        shown = ', '.join(looked[:_SHOWN]) + rest
        error = f'{likeliest} is not in {self.root}; looked at {shown}'
        others = self._by_stem.get(_stem(PurePosixPath(likeliest).name), [])
        if others:
            error += f'; is it {self.root / others[0]}?'
        return Found(likeliest, error=error)

    def _here(
        self, likeliest: str, places: Sequence[str], any_suffix: bool = False
    ) -> Found | None:
        """A file at one of the places, but for letters, accents or an extension."""
        for place in places:
            alike = self._alike(place, any_suffix)
            alike = [file for file in alike if _is_at(file, place)]
            if len(alike) > 1:
                return Found(likeliest, error=_several(place, alike))
            if alike:
                return self._at(alike[0], _difference(place, alike[0]))
        return None

    def _with_other_suffix(self, likeliest: str, places: Sequence[str]) -> Found | None:
        return self._here(likeliest, places, any_suffix=True)

    def _elsewhere(self, likeliest: str, places: Sequence[str]) -> Found | None:
        """A file of the same name in another folder, if just one fits best."""
        wanted = next((p for p in (likeliest, *places) if self._alike(p)), likeliest)
        alike = self._alike(wanted)
        scores = [_common_tail(file, wanted) for file in alike]
        best = [file for file, n in zip(alike, scores) if n == max(scores)]
        if not alike or ('/' in wanted and max(scores) < 2):
            return None
        if len(best) > 1:
            return Found(likeliest, error=_several(likeliest, best))
        note = f'{likeliest} is not there; {best[0]} has its name and is taken'
        return self._at(best[0], note)

    def _before_upload(self, likeliest: str, places: Sequence[str]) -> Found | None:
        """A file whose name lost its blanks and signs when it was uploaded.

        Web servers write ``a b(1).jpg`` as ``a_b1.jpg``.
        """
        if '/' in likeliest:
            return None
        for place in places:
            alike = self._by_plain_name.get(_folded(PurePosixPath(place).name), [])
            if len(alike) > 1:
                return Found(likeliest, error=_several(likeliest, alike))
            if alike:
                return self._at(alike[0], _difference(likeliest, alike[0]))
        return None

    def _at(self, place: str, note: str = '') -> Found:
        return Found(place, Path(os.path.normpath(self.root / place)), note)

    def _alike(self, place: str, any_suffix: bool = False) -> list[str]:
        """Images with the name of a place, which may lack the extension."""
        name = PurePosixPath(place).name
        suffix = PurePosixPath(name).suffix.lower()
        same = self._by_stem.get(_stem(name), [])
        if suffix in IMAGE_SUFFIXES and not any_suffix:
            same = [f for f in same if PurePosixPath(f).suffix.lower() == suffix]
        return same

    def _relative(self, path: str) -> str:
        full = os.path.normpath(os.path.join(self.root, path))
        return Path(os.path.relpath(full, self.root)).as_posix()


def _folded(text: str) -> str:
    """Small letters, with accents as macOS and others write them made the same."""
    return unicodedata.normalize('NFC', text).lower()


def _stem(name: str) -> str:
    """A file's name without the extension of an image, folded."""
    stem, suffix = os.path.splitext(_folded(name))
    return stem if suffix in IMAGE_SUFFIXES else _folded(name)


def _is_at(file: str, place: str) -> bool:
    return _folded(os.path.dirname(file)) == _folded(os.path.dirname(place))


def _common_tail(file: str, place: str) -> int:
    """How many parts two paths have in common at their ends, the name included."""
    own, other = (
        [*_folded(path).split('/')[:-1], _stem(path.rsplit('/', 1)[-1])]
        for path in (file, place)
    )
    pairs = zip(reversed(own), reversed(other))
    return next(
        (k for k, (a, b) in enumerate(pairs) if a != b), min(len(own), len(other))
    )


def _difference(place: str, file: str) -> str:
    """What differs between a place and the file there; accents do not count."""
    same = unicodedata.normalize('NFC', place), unicodedata.normalize('NFC', file)
    if PurePosixPath(place).suffix.lower() not in IMAGE_SUFFIXES or len({*same}) == 1:
        return ''
    return f'{place} is not there; {file} is taken'


def _several(place: str, files: Sequence[str]) -> str:
    shown = ' and '.join(files[:_SHOWN])
    return f'the labels speak of {place}, and {len(files)} images fit: {shown}'


def locate_image(
    image: LabelledImage, folder: ImageFolder, settings: ImportSettings
) -> None:
    """Find the file of a labelled image; what is odd about it becomes an issue.

    Args:
        image: Gets ``file_name``, ``file``, and whether its labels are left out.
        folder: The image folder.
        settings: What becomes of images without a file.
    """
    found, own = folder.find(image.paths), None
    if image.namesakes and not _has_own_name(found, image):
        own = folder.find(image.namesakes)
    if found.path is None and own is not None and own.path is not None:
        note = (
            f'imagePath is out of date: {found.file_name} is not there; '
            f'{own.file_name}, which has the name of the label file, is taken'
        )
        found = own._replace(note=note)
    elif own is not None and own.path is not None and not own.note:
        reason = (
            f'imagePath says {found.file_name}, but {own.file_name} has the name of '
            'the label file; correct imagePath, or rename one of them'
        )
        image.report(INVALID, '', 'image', reason)
        image.is_left_out = True
    image.file_name, image.file = found.file_name, found.path
    if found.note:
        image.report(CHANGED, '', 'image not where the labels say', found.note)
    if found.path is not None or settings.missing_images == 'keep':
        return
    if settings.missing_images == 'skip':
        image.report(LEFT_OUT, '', 'image not found', found.error)
        image.is_left_out = True
    elif folder.has_images:
        size = '' if image.width else 'the size of the image is not known either; '
        hint = f'{image.hint}; or ' if image.hint else ''
        advice = 'correct --img-dir, or leave such images out: --missing-images skip'
        reason = f'{found.error}; {size}{hint}{advice}'
        image.report(INVALID, '', 'image not found', reason)
        image.is_left_out = True


def _has_own_name(found: Found, image: LabelledImage) -> bool:
    """Whether an image was found that has the name of its label file."""
    own = _folded(os.path.basename(image.namesakes[0]))
    return found.path is not None and own in (
        _stem(found.path.name), _folded(found.path.name)
    )  # fmt: skip
