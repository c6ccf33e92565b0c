"""Masks of prompted objects by Segment Anything."""

import os
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor

from mmwsis.formats.coco_masks import encode_mask
from mmwsis.models.sam_network import EncodedImage, SAMNetwork
from mmwsis.models.sam_weights import find_sam
from mmwsis.registry import MODELS

from .base_labeler import BaseLabeler

MASK_CHOICES = ('predicted_iou', 'single')


@MODELS.register_module()
class SAMLabeler(BaseLabeler):
    """A mask for each point, box or set of extreme points, by SAM or SAM 2.

    `Segment Anything <https://arxiv.org/abs/2304.02643>`__ (Kirillov et al., ICCV 2023)
    and `SAM 2 <https://arxiv.org/abs/2408.00714>`__ (Ravi et al., 2024), as the package
    ``transformers`` has them (``pip install 'mmwsis[sam]'``). It is not trained here:
    it is what weakly-supervised labelers are compared with, where weights that were
    trained on a billion masks may be used. The data pipeline is ``LoadCachedImage``,
    ``PackPrompts``, which says what the prompts are. The image encoder runs once for an
    image, the mask decoder for ``prompts_per_batch`` prompts at a time.

    ``predict`` fills ``pred_instances`` for the artifact 'object_masks': ``labels``,
    ``ann_ids``, ``scores`` and ``masks``, COCO RLEs of the original image.

    Args:
        weights: Folder that ``save_pretrained`` of ``transformers`` wrote, or the name
            of a repository on the Hugging Face Hub, such as 'facebook/sam-vit-base' or
            'facebook/sam2.1-hiera-small', which is downloaded at its first use.
        revision: Branch, tag or commit of the repository. Defaults to None, its main
            branch.
        test_cfg: ``mask_choice``: 'predicted_iou', of the three masks that the decoder
            offers the one with the largest IoU that it predicts for them; 'single', its
            one mask for prompts that leave no doubt, such as a box.
            ``prompts_per_batch``: prompts that are decoded at once, a question of
            memory. Defaults to None: 'predicted_iou', 64.
        data_preprocessor: Config; if None, images are moved to the device as they are,
            uint8 and RGB. Defaults to None.

    Raises:
        FileNotFoundError: There are no such weights.
        ModuleNotFoundError: ``transformers`` is not installed.
        ValueError: Weights of another model, or an unknown key or value in
            ``test_cfg``.
    """

    artifacts: ClassVar[tuple[str, ...]] = ('object_masks',)
    test_defaults: ClassVar[dict[str, Any]] = dict(
        mask_choice='predicted_iou', prompts_per_batch=64
    )

    def __init__(
        self,
        weights: str | os.PathLike,
        revision: str | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(test_cfg, data_preprocessor)
        choice, number = (
            self.test_cfg[key] for key in ('mask_choice', 'prompts_per_batch')
        )
        if choice not in MASK_CHOICES or number < 1:
            raise ValueError(
                f'test_cfg.mask_choice must be one of {MASK_CHOICES} and '
                f'test_cfg.prompts_per_batch at least 1; got {choice!r} and {number}.'
            )
        self.network = SAMNetwork(weights, revision)

    @classmethod
    def find_weights(
        cls, weights: str | os.PathLike, revision: str | None = None, **_: Any
    ) -> dict[str, str]:
        """Say which weights the model brings with it; generation records it.

        Args:
            weights: Of the config.
            revision: Of the config. Defaults to None.

        Returns:
            ``checkpoint``, a name, and ``checkpoint_sha256``.

        Raises:
            FileNotFoundError: There are no such weights.
            ModuleNotFoundError: ``transformers`` is not installed.
        """
        found = find_sam(weights, revision)
        return dict(checkpoint=found.name, checkpoint_sha256=found.sha256)

    def init_weights(self) -> None:
        """They are there already."""

    def predict(
        self, inputs: Sequence[Tensor], data_samples: Sequence[BaseDataElement]
    ) -> Sequence[BaseDataElement]:
        """Label a batch of images.

        Args:
            inputs: B images uint8 ``(3, H, W)``, RGB.
            data_samples: B samples of ``mmwsis.PackPrompts``.

        Returns:
            The samples with ``pred_instances``.
        """
        # An image without an object is not encoded.
        prompted = [i for i, one in enumerate(data_samples) if len(one.prompts.ann_ids)]
        encoded = {}
        if prompted:
            images = self.network.encode([inputs[index] for index in prompted])
            encoded = dict(zip(prompted, images))
        for index, sample in enumerate(data_samples):
            sample.pred_instances = self._label(encoded.get(index), sample.prompts)
        return data_samples

    def _label(self, image: EncodedImage | None, prompts: InstanceData) -> InstanceData:
        masks, scores = [], []
        if image is not None:
            for some, ious in self.masks_and_ious(image, prompts):
                masks += [encode_mask(mask) for mask in some.cpu().numpy()]
                scores += ious.clamp(0, 1).tolist()
        return InstanceData(
            labels=prompts.labels,
            ann_ids=prompts.ann_ids,
            masks=masks,
            scores=torch.tensor(scores, dtype=torch.float32),
        )

    def masks_and_ious(
        self, image: EncodedImage, prompts: InstanceData
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Masks of an image's prompts, some at a time.

        Args:
            image: Of ``self.network``.
            prompts: N rows of ``points`` and ``boxes``.

        Yields:
            bool ``(n, H, W)`` and the predicted IoUs ``(n,)``.
        """
        step = self.test_cfg['prompts_per_batch']
        multimask = self.test_cfg['mask_choice'] == 'predicted_iou'
        boxes = prompts.get('boxes')
        for start in range(0, len(prompts.points), step):
            some = slice(start, start + step)
            logits, ious = self.network.decode(
                image,
                prompts.points[some],
                None if boxes is None else boxes[some],
                multimask,
            )
            ious, chosen = ious.max(1)
            rows = torch.arange(len(chosen), device=chosen.device)
            yield self.network.masks(logits[rows, chosen], image), ious

    def loss(self, inputs: object, data_samples: object = None) -> dict[str, Tensor]:
        """There is none.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            f"{type(self).__name__} is not trained: mode must be 'predict'. Its "
            'weights are those of model.weights.'
        )

    _forward = loss
