"""SAM and SAM 2 with random weights, small enough for tests."""

from pathlib import Path

import pytest
import torch

SIDE = 64  # of the encoder's input in pixels

_DECODER = dict(
    hidden_size=16,
    mlp_dim=32,
    num_attention_heads=2,
    num_hidden_layers=1,
    iou_head_hidden_dim=16,
    iou_head_depth=2,
)
_HIERA = dict(
    model_type='sam2_hiera_det_model',
    hidden_size=8,
    num_attention_heads=1,
    image_size=[SIDE, SIDE],
    blocks_per_stage=[1, 1, 2, 1],
    embed_dim_per_stage=[8, 16, 32, 64],
    num_attention_heads_per_stage=[1, 1, 2, 2],
    window_size_per_stage=[4, 4, 4, 4],
    global_attention_blocks=[3],
    window_positional_embedding_background_size=[2, 2],
)


def sam():
    """A ``SamModel`` of 19,000 weights."""
    transformers = pytest.importorskip('transformers')
    prompts = dict(image_size=SIDE, patch_size=8, hidden_size=16, mask_input_channels=4)
    vision = dict(
        image_size=SIDE,
        patch_size=8,
        hidden_size=16,
        output_channels=16,
        num_pos_feats=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        mlp_dim=32,
        window_size=4,
        global_attn_indexes=[1],
    )
    config = transformers.SamConfig(
        vision_config=vision,
        prompt_encoder_config=prompts,
        mask_decoder_config=_DECODER,
    )
    return _random(transformers.SamModel(config))


def sam2(video=False):
    """A ``Sam2Model`` of 85,000 weights, or the video model that holds one."""
    transformers = pytest.importorskip('transformers')
    settings = dict(
        vision_config=dict(
            backbone_config=_HIERA,
            backbone_channel_list=[64, 32, 16, 8],
            backbone_feature_sizes=[[SIDE // n] * 2 for n in (4, 8, 16)],
            fpn_hidden_size=16,
        ),
        prompt_encoder_config=dict(
            image_size=SIDE, patch_size=16, hidden_size=16, mask_input_channels=4
        ),
        mask_decoder_config=_DECODER,
    )
    if not video:
        return _random(transformers.Sam2Model(transformers.Sam2Config(**settings)))
    settings.update(
        image_size=SIDE,
        memory_attention_hidden_size=16,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=16,
        memory_encoder_output_channels=8,
    )
    config = transformers.Sam2VideoConfig(**settings)
    return _random(transformers.Sam2VideoModel(config))


def save(model, folder):
    """Write a model as users have it."""
    model.save_pretrained(folder)
    return Path(folder)


def _random(model):
    """Weights of a size at which masks have an outline, the same in every run."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.2, generator=generator)
    return model.eval()
