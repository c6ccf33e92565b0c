"""What every kind of artifact has in common: items, records, the result."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from mmengine.dataset import BaseDataset
from mmengine.structures import BaseDataElement

Records = Mapping[Any, Mapping[str, Any]]


@dataclass(frozen=True)
class LabelSource:
    """The weak labels that a run starts from.

    Attributes:
        path: COCO JSON.
        coco: Its content, restricted to the supervision of the run.
        classes: Class names of the config; the index is the label.
        category_ids: Category id in the file of every class.
        stuff_classes: ``metainfo['stuff_classes']`` of the config.
    """

    path: str
    coco: dict[str, Any]
    classes: tuple[str, ...] = ()
    category_ids: tuple[int, ...] = ()
    stuff_classes: tuple[str, ...] = ()

    @cached_property
    def images(self) -> dict[Any, dict[str, Any]]:
        """Image id -> entry of ``images``."""
        return {image['id']: image for image in self.coco['images']}

    def image_size(self, image_id: Any) -> tuple[int, int]:
        """``(H, W)`` of an image in pixels."""
        image = self.images[image_id]
        return image['height'], image['width']


class Artifact(ABC):
    """One kind of output: what is labelled, what is kept of it, what is written.

    A run labels *items*, each a sample of the dataset: images, unless a subclass says
    otherwise. Of every predicted sample a JSON-serialisable *record* goes into a part
    file; when all are there :meth:`finish` writes the result. An artifact with
    one file per image writes it in :meth:`record`, before the record exists.

    Args:
        out: File or folder to write.
        source: What is labelled.
        **options: Further keys of the config's ``artifact``; subclasses name theirs.

    Attributes:
        kind: Name in the config's ``artifact``.
        title: What a run makes, for people.
        listed_in: Key of the COCO JSON under which the items stand.
        noun: What the items are called.
        key: Metainfo of a predicted sample that holds the id of its item.
        view: View of the images that is labelled; None: the images themselves.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    listed_in: ClassVar[str] = 'images'
    noun: ClassVar[str] = 'images'
    key: ClassVar[str] = 'img_id'
    view: str | None = None

    def __init__(self, out: Path, source: LabelSource) -> None:
        self.out = out
        self.source = source

    @property
    def result(self) -> Path:
        """File that is there when, and only when, the run is finished."""
        return self.out

    @property
    def supervision(self) -> str | None:
        """Level to write down where it is not the one of the dataset."""
        return None

    def begin(self, overwrite: bool) -> None:  # noqa: B027 - a file needs nothing
        """Make the place ready for a new run, before its first record.

        Args:
            overwrite: What lies there may be discarded.

        Raises:
            ValueError: Something lies there that must not be lost.
        """

    def items(self, dataset: BaseDataset) -> list[tuple[int, Any, Any]]:
        """List what has to be labelled.

        Args:
            dataset: The dataset of ``pseudo_label_dataloader``.

        Returns:
            ``(index in the dataset, id of the item, image id)`` of every item.

        Raises:
            ValueError: The dataset hides items of the source file.
        """
        ids = [dataset.get_data_info(index)['img_id'] for index in range(len(dataset))]
        known = set(ids)
        hidden = [key for key in self.source.images if key not in known]
        if hidden:
            raise ValueError(
                f'{len(hidden)} of {len(self.source.images)} images of '
                f'{self.source.path} would get no {self.title}, the first image ids '
                f'are {hidden[:5]}. The dataset of pseudo_label_dataloader must hold '
                'every image: set test_mode=True and remove indices.'
            )
        return [(index, image_id, image_id) for index, image_id in enumerate(ids)]

    def place(self, sample: BaseDataElement) -> str:
        """Name a sample in messages.

        Args:
            sample: Predicted sample.
        """
        name = Path(str(sample.get('img_path', ''))).name
        return f'{name}: image id {sample.get("img_id")!r}'

    @abstractmethod
    def record(self, sample: BaseDataElement) -> dict[str, Any]:
        """What a part file keeps of one predicted sample.

        Args:
            sample: Of the labeler.

        Returns:
            JSON-serialisable, with the item's ``id``.

        Raises:
            ValueError: The labeler left something out, or it does not fit the image;
                the message names the file and the ids.
        """

    def check(self, records: Records) -> None:  # noqa: B027 - most have nothing
        """Refuse a result that would mislead; left out with ``--force``.

        Args:
            records: Id of an item -> its record, of all items.

        Raises:
            ValueError: It would; the message has numbers and a remedy.
        """

    @abstractmethod
    def finish(
        self,
        records: Records,
        provenance: Mapping[str, Any],
        results_out: Any | None = None,
    ) -> str:
        """Write the result, atomically.

        Args:
            records: Id of an item -> its record, of all items.
            provenance: Becomes ``info.mmwsis`` of the result.
            results_out: Also write the bare list of annotations here. Defaults to
                None: it is not written.

        Returns:
            What was made, for the log.

        Raises:
            ValueError: ``results_out`` is given but there are no annotations.
        """
