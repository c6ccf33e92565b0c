"""State-dict keys of ViT checkpoints, translated to those of ``LabelerViT``.

Pure functions on dictionaries. Three namings are known: timm's, which the MAE release
uses; Hugging Face transformers' 4.x; and our own, which is mmseg's, under the prefixes
of the models that hold an encoder.
"""

import re
from collections.abc import Mapping

from torch import Tensor, cat

SOURCES = ('mae', 'transformers', 'mmwsis')

# The student comes first: it is what training improved directly.
ENCODER_PREFIXES = ('student.encoder.', 'encoder.', 'backbone.', '')

_TIMM_RULES = (
    (r'patch_embed\.proj\.(\w+)', r'patch_embed.projection.\1'),
    (r'blocks\.(\d+)\.norm([12])\.(\w+)', r'layers.\1.ln\2.\3'),
    (r'blocks\.(\d+)\.attn\.qkv\.(\w+)', r'layers.\1.attn.attn.in_proj_\2'),
    (r'blocks\.(\d+)\.attn\.proj\.(\w+)', r'layers.\1.attn.attn.out_proj.\2'),
    (r'blocks\.(\d+)\.mlp\.fc1\.(\w+)', r'layers.\1.ffn.layers.0.0.\2'),
    (r'blocks\.(\d+)\.mlp\.fc2\.(\w+)', r'layers.\1.ffn.layers.1.\2'),
    (r'norm\.(\w+)', r'ln1.\1'),
    (r'(cls_token|pos_embed)', r'\1'),
)
_TIMM_DROPPED = re.compile(r'decoder.*|mask_token|head\..*|fc_norm\..*')

_HF_LAYER = r'encoder\.layer\.(\d+)\.'
_HF_RULES = (
    (r'embeddings\.cls_token', r'cls_token'),
    (r'embeddings\.position_embeddings', r'pos_embed'),
    (
        r'embeddings\.patch_embeddings\.projection\.(\w+)',
        r'patch_embed.projection.\1',
    ),
    (_HF_LAYER + r'layernorm_before\.(\w+)', r'layers.\1.ln1.\2'),
    (_HF_LAYER + r'layernorm_after\.(\w+)', r'layers.\1.ln2.\2'),
    (
        _HF_LAYER + r'attention\.output\.dense\.(\w+)',
        r'layers.\1.attn.attn.out_proj.\2',
    ),
    (_HF_LAYER + r'intermediate\.dense\.(\w+)', r'layers.\1.ffn.layers.0.0.\2'),
    (_HF_LAYER + r'output\.dense\.(\w+)', r'layers.\1.ffn.layers.1.\2'),
    (r'layernorm\.(\w+)', r'ln1.\1'),
)
_HF_QKV = re.compile(_HF_LAYER + r'attention\.attention\.(query|key|value)\.(\w+)')
_HF_DROPPED = re.compile(r'decoder\..*|mask_token|embeddings\.mask_token|pooler\..*')


def detect_source(names: Mapping[str, object]) -> str:
    """Guess whose names a checkpoint has.

    Args:
        names: State dictionary, or anything that iterates over its keys.

    Returns:
        'mae' (timm's names), 'transformers' or 'mmwsis' (mmseg's names).

    Raises:
        ValueError: None of the three.

    Example:
        >>> detect_source({'vit.encoder.layer.0.layernorm_before.bias': 0})
        'transformers'
    """
    if any(re.match(r'blocks\.\d+\.attn\.qkv\.', name) for name in names):
        return 'mae'
    if any(re.match(r'(vit\.)?encoder\.layer\.\d+\.', name) for name in names):
        return 'transformers'
    if any(re.search(r'(^|\.)layers\.\d+\.attn\.attn\.in_proj_', n) for n in names):
        return 'mmwsis'
    first = ', '.join(sorted(names)[:5]) or 'none'
    raise ValueError(
        'no vision transformer of a known naming was found (timm/MAE: '
        "'blocks.0.attn.qkv.weight', transformers: 'vit.encoder.layer.0...', "
        f"mmseg and mmwsis: 'layers.0.attn.attn.in_proj_weight'); first keys: {first}."
    )


def to_labeler_names(
    state: Mapping[str, Tensor], source: str = 'auto'
) -> dict[str, Tensor]:
    """Translate a checkpoint's encoder to the names of ``LabelerViT``.

    Args:
        state: State dictionary: parameter names to tensors.
        source: 'mae', 'transformers', 'mmwsis', or 'auto' to look at the names.
            Defaults to 'auto'.

    Returns:
        The encoder alone. Decoders, mask tokens and classification heads are left out;
        a name that no rule knows is kept, so that it is reported as unexpected.

    Raises:
        ValueError: Unknown ``source``, or names that fit none.

    Example:
        >>> import torch
        >>> weight = torch.zeros(6, 2)
        >>> list(to_labeler_names({'blocks.3.attn.qkv.weight': weight}))
        ['layers.3.attn.attn.in_proj_weight']
    """
    if source == 'auto':
        source = detect_source(state)
    if source == 'mae':
        return _apply_rules(state, _TIMM_RULES, _TIMM_DROPPED)
    if source == 'transformers':
        return _from_transformers(state)
    if source == 'mmwsis':
        return _strip_prefix(state)
    raise ValueError(f"source must be 'auto' or one of {SOURCES}; got {source!r}.")


def _apply_rules(
    state: Mapping[str, Tensor],
    rules: tuple[tuple[str, str], ...],
    dropped: re.Pattern[str],
) -> dict[str, Tensor]:
    converted = {}
    for name, value in state.items():
        if dropped.fullmatch(name):
            continue
        for pattern, replacement in rules:
            match = re.fullmatch(pattern, name)
            if match:
                name = match.expand(replacement)
                break
        converted[name] = value
    return converted


def _from_transformers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    bare = {name.removeprefix('vit.'): value for name, value in state.items()}
    packed: dict[str, dict[str, Tensor]] = {}
    rest = {}
    for name, value in bare.items():
        match = _HF_QKV.fullmatch(name)
        if match is None:
            rest[name] = value
            continue
        layer, part, kind = match.groups()
        target = f'layers.{layer}.attn.attn.in_proj_{kind}'
        packed.setdefault(target, {})[part] = value
    converted = _apply_rules(rest, _HF_RULES, _HF_DROPPED)
    for target, parts in packed.items():
        absent = [part for part in ('query', 'key', 'value') if part not in parts]
        if absent:
            raise ValueError(
                f'{target} needs query, key and value; the checkpoint lacks '
                f'{", ".join(absent)}.'
            )
        converted[target] = cat([parts['query'], parts['key'], parts['value']])
    return converted


def _strip_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for prefix in ENCODER_PREFIXES:
        if any(name.startswith(f'{prefix}layers.0.attn.attn.') for name in state):
            return {
                name.removeprefix(prefix): value
                for name, value in state.items()
                if name.startswith(prefix)
            }
    raise ValueError(
        'no encoder was found under any of the prefixes '
        f'{ENCODER_PREFIXES}; first keys: {", ".join(sorted(state)[:5]) or "none"}.'
    )
