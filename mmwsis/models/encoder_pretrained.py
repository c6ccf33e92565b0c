"""Weight initialiser that loads an encoder, or says exactly why it cannot."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mmengine.logging import print_log
from mmengine.model import update_init_info
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmwsis.registry import WEIGHT_INITIALIZERS
from mmwsis.utils.checkpoint import (
    PACKAGE,
    find_package_weights,
    load_checkpoint_file,
)

from .backbones import LabelerViT
from .encoder_key_maps import to_labeler_names

MAE_URL = 'https://dl.fbaipublicfiles.com/mae/pretrain/mae_pretrain_vit_base.pth'
MAE_ADVICE = (
    f'If it is the MAE ViT-B checkpoint, get it from {MAE_URL} and save it under this '
    'path; otherwise set init_cfg.checkpoint to a file or URL, or train an encoder on '
    'your own images with mmwsis.MAEPretrainer (configs/exits/mae_*.py).'
)
_URL = re.compile(r'https?://')


class LoadReport(NamedTuple):
    """What became of the parameters.

    ``loaded``: names set from the checkpoint; ``resized``: True if the position table
    was; ``kept``: names left at their random start by design, which are those of a
    convolutional patch embedding that the checkpoint has in linear form.
    """

    loaded: list[str]
    resized: bool
    kept: list[str]


@WEIGHT_INITIALIZERS.register_module()
class EncoderPretrained:
    """Initialise a :class:`LabelerViT` from a checkpoint of another project or stage.

    Understands MAE and timm files (``{'model': ...}``), transformers' ``ViTMAEModel``,
    mmseg's ``VisionTransformer``, and the checkpoints of our MAE pretraining and
    labelers, of which the student's encoder is taken. The position table is resized
    bicubically if need be. Every other parameter must match: a start that is silently
    random in part ruins the similarity of EXITS.

    Args:
        checkpoint: File, or URL, which MMEngine downloads once and keeps.
        source: 'auto', 'mae', 'transformers' or 'mmwsis'; see
            :func:`~mmwsis.models.encoder_key_maps.to_labeler_names`. Defaults to
            'auto'.
        made_by: Command that makes the file, named if it is missing. Defaults to None.

    Example:
        >>> import tempfile, torch
        >>> from mmwsis.registry import MODELS
        >>> config = dict(type='mmwsis.LabelerViT', img_size=32, embed_dims=16,
        ...               num_layers=1, num_heads=2)
        >>> trained = MODELS.build(config)
        >>> with tempfile.NamedTemporaryFile(suffix='.pth') as file:
        ...     torch.save(dict(state_dict=trained.state_dict()), file.name)
        ...     start = dict(type='mmwsis.EncoderPretrained', checkpoint=file.name)
        ...     encoder = MODELS.build(dict(config, init_cfg=start))
        ...     encoder.init_weights()
        >>> torch.equal(encoder.cls_token, trained.cls_token)
        True
    """

    def __init__(
        self, checkpoint: str, source: str = 'auto', made_by: str | None = None
    ) -> None:
        self.checkpoint = checkpoint
        self.source = source
        self.made_by = made_by

    def __call__(self, module: nn.Module) -> None:
        """Load the checkpoint into ``module``.

        Args:
            module: A :class:`LabelerViT`.

        Raises:
            TypeError: ``module`` is something else.
            FileNotFoundError: The file is missing or cannot be downloaded.
            ValueError: The file is no checkpoint of a fitting encoder.
        """
        if not isinstance(module, LabelerViT):
            raise TypeError(
                "init_cfg=dict(type='mmwsis.EncoderPretrained') belongs to the encoder "
                f'(mmwsis.LabelerViT); it was given to {type(module).__name__}.'
            )
        advice = f'Make it with: {self.made_by}' if self.made_by else MAE_ADVICE
        state = read_checkpoint(self.checkpoint, advice)
        try:
            report = load_encoder(module, to_labeler_names(state, self.source))
        except ValueError as error:
            raise ValueError(f'{self.checkpoint}: {error}') from None
        self._print(report)
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())

    def _print(self, report: LoadReport) -> None:
        text = f'{self.checkpoint}: {len(report.loaded)} encoder parameters loaded'
        if report.resized:
            text += ', position table resized'
        print_log(f'{text}.', logger='current')
        if report.kept:
            print_log(
                'The convolutional patch embedding starts at random, as in MAL '
                f'({len(report.kept)} parameters: {", ".join(report.kept)}).',
                logger='current',
                level=logging.INFO,
            )

    def _get_init_info(self) -> str:
        return f'{type(self).__name__}: load from {self.checkpoint}'


def read_checkpoint(checkpoint: str, advice: str = MAE_ADVICE) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint, with torch's ``weights_only`` safety on.

    Args:
        checkpoint: File, URL, or ``package://NAME`` for the weights that an installed
            package brings.
        advice: What to do if the file is missing. Defaults to where MAE's is found.

    Returns:
        Parameter names to tensors, on the CPU.

    Raises:
        FileNotFoundError: The file is missing or cannot be downloaded.
        ValueError: The file is damaged or holds no state dictionary of tensors.
    """
    if checkpoint.startswith(PACKAGE):
        loaded = load_checkpoint_file(find_package_weights(checkpoint))
    elif _URL.match(checkpoint):
        try:
            loaded = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
        except Exception as error:  # urllib, socket, hash and pickle errors alike
            raise FileNotFoundError(
                f'{checkpoint} could not be downloaded ({error}). Download it on '
                'another machine and set init_cfg.checkpoint to the file.'
            ) from error
    else:
        path = Path(checkpoint).expanduser()
        if not path.is_file():
            raise FileNotFoundError(
                f'the encoder checkpoint {checkpoint} does not exist. {advice}'
            )
        loaded = load_checkpoint_file(path)
    return _find_state(loaded, checkpoint)


def _find_state(loaded: object, checkpoint: str) -> dict[str, Tensor]:
    state = loaded
    for key in ('state_dict', 'model'):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping):
        raise ValueError(
            f'{checkpoint} must hold a state dictionary; got {type(state).__name__}.'
        )
    tensors = {k: v for k, v in state.items() if isinstance(v, Tensor)}
    return {name.removeprefix('module.'): value for name, value in tensors.items()}


def load_encoder(encoder: LabelerViT, state: Mapping[str, Tensor]) -> LoadReport:
    """Copy a translated state dictionary into an encoder.

    Args:
        encoder: Target; layers that it dropped may be in ``state``.
        state: Names of ``LabelerViT`` to tensors.

    Returns:
        What was loaded.

    Raises:
        ValueError: Parameters are missing, unexpected, or of another shape. The encoder
            is unchanged.
    """
    # Bring the checkpoint to the encoder's shape: its position table, its layers.
    state = dict(state)
    own = encoder.state_dict()
    resized = (
        'pos_embed' in state and state['pos_embed'].shape != own['pos_embed'].shape
    )
    if resized:
        state['pos_embed'] = _fit_position_table(state['pos_embed'], encoder)
    kept = _drop_by_design(encoder, own, state)
    check_fit(
        {name: value for name, value in own.items() if name not in kept},
        state,
        'Compare embed_dims, num_layers, num_heads, patch_size and patch_embed_type of '
        'the config with the model that the checkpoint was made by.',
    )
    encoder.load_state_dict(state, strict=False)
    return LoadReport(sorted(state), resized, kept)


def check_fit(
    own: Mapping[str, Tensor], state: Mapping[str, Tensor], advice: str
) -> None:
    """Refuse a checkpoint that differs, naming all that does at once.

    Args:
        own: State dictionary of the model that is to be loaded.
        state: That of the checkpoint, under the same names.
        advice: What to compare; the end of the message.

    Raises:
        ValueError: Parameters are missing, unexpected, or of another shape.
    """
    wrong = [
        f'{name}: {tuple(state[name].shape)}, expected {tuple(own[name].shape)}'
        for name in sorted(set(own) & set(state))
        if state[name].shape != own[name].shape
    ]
    lines = ['the checkpoint does not fit the model.']
    for title, names in (
        ('missing in the checkpoint', sorted(set(own) - set(state))),
        ('unexpected in the checkpoint', sorted(set(state) - set(own))),
        ('of another shape', wrong),
    ):
        if names:
            more = f' ... ({len(names)} in all)' if len(names) > 12 else ''
            lines.append(f'  {title}: {", ".join(names[:12])}{more}')
    if len(lines) > 1:
        raise ValueError('\n'.join([*lines, advice]))


def _drop_by_design(
    encoder: LabelerViT, own: Mapping[str, Tensor], state: dict[str, Tensor]
) -> list[str]:
    """Remove from ``state`` what the encoder has no use for; say what stays random."""
    if not encoder.final_norm:
        first_dropped = len(encoder.layers)
        for name in list(state):
            match = re.match(r'layers\.(\d+)\.', name)
            dropped = match and int(match[1]) >= first_dropped
            if dropped or name.startswith('ln1.'):
                del state[name]
    ours = {name for name in own if name.startswith('patch_embed.')}
    theirs = {name for name in state if name.startswith('patch_embed.')}
    if encoder.patch_embed_type != 'conv_stem' or ours == theirs:
        return []
    for name in theirs:
        del state[name]
    return sorted(ours)


def _fit_position_table(table: Tensor, encoder: LabelerViT) -> Tensor:
    side = round((table.shape[1] - 1) ** 0.5) if table.ndim == 3 else 0
    if table.ndim != 3 or side * side != table.shape[1] - 1:
        raise ValueError(
            'pos_embed must be (1, 1 + n * n, C): a class token and a square grid; '
            f'got shape {tuple(table.shape)}.'
        )
    return encoder.resize_pos_embed(
        table.float(), encoder.table_grid, (side, side), encoder.interpolate_mode
    )
