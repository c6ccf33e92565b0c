"""LabelerViT against released numbers, mmseg's own encoder and slow references."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.models.backbones import VisionTransformer
from torch import nn

from mmwsis.models.backbones import ConvStem, LabelerViT
from mmwsis.models.encoder_key_maps import to_labeler_names

GOLDEN = Path(__file__).parents[2] / 'golden' / 'exits'
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
STEM_NAMES = {
    'patch_embed.proj.3.3': 'patch_embed.projection',
    'patch_embed.proj.': 'patch_embed.blocks.',
}


def tiny(**kwargs):
    settings = dict(
        img_size=64, patch_size=16, embed_dims=16, num_layers=3, num_heads=2
    )
    encoder = LabelerViT(**{**settings, **kwargs})
    encoder.init_weights()
    return encoder


def golden_encoder(name, patch_embed_type):
    data = np.load(GOLDEN / name)
    state = {
        key[3:].replace('__', '.'): torch.from_numpy(data[key]).float()
        for key in data.files
        if key.startswith('sd_')
    }
    state = to_labeler_names(state, 'mae')
    for old, new in STEM_NAMES.items():
        if patch_embed_type == 'conv_stem':
            state = {k.replace(old, new): v for k, v in state.items()}
    layers = 1 + max(int(k.split('.')[1]) for k in state if k.startswith('layers.'))
    encoder = LabelerViT(
        img_size=224,
        patch_size=int(data['patch_size']),
        embed_dims=state['cls_token'].shape[-1],
        num_layers=layers,
        num_heads=int(data['num_heads']),
        patch_embed_type=patch_embed_type,
    )
    # The released code resizes the table by the factor (side + 0.1) / 14, not to a
    # size; with its table injected everything else must agree.
    image = torch.from_numpy(data['image']).float() / 255
    side = image.shape[-1] // 16
    released = nn.functional.interpolate(
        state['pos_embed'][:, 1:].unflatten(1, (14, 14)).permute(0, 3, 1, 2),
        scale_factor=(side + 0.1) / 14,
        mode='bicubic',
    )
    encoder.load_state_dict(state)
    table = torch.cat(
        [state['pos_embed'][:, :1], released.flatten(2).transpose(1, 2)], 1
    )
    encoder.pos_embed = nn.Parameter(table)
    encoder.img_size = tuple(image.shape[-2:])
    return encoder.eval(), (image - MEAN) / STD, data


@pytest.mark.parametrize(
    ('name', 'patch_embed_type'),
    [('tinyvit_patch_73.npz', 'linear'), ('tinyvit_convstem_74.npz', 'conv_stem')],
)
@torch.no_grad()
def test_golden_features_and_attention(name, patch_embed_type):
    encoder, images, data = golden_encoder(name, patch_embed_type)
    np.testing.assert_allclose(encoder(images), data['features'], rtol=0, atol=2e-4)
    attention = encoder.mean_attention(images, int(data['layer']))
    np.testing.assert_allclose(attention, data['similarity'], rtol=0, atol=2e-4)


@pytest.mark.parametrize('side', [14, 20, 32])
def test_golden_position_table(side):
    data = np.load(GOLDEN / 'posembed_71.npz')
    table = torch.from_numpy(data['pos_embed'])
    resized = LabelerViT.resize_pos_embed(table, (side, side), (14, 14), 'bicubic')
    expected = data[f'out_size_mode_{side}']
    np.testing.assert_allclose(resized, expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_equals_mmseg_encoder():
    ours = tiny().eval()
    theirs = VisionTransformer(
        img_size=(64, 64),
        patch_size=16,
        embed_dims=16,
        num_layers=3,
        num_heads=2,
        patch_bias=True,
        final_norm=True,
        norm_cfg=dict(type='LN', eps=1e-6),
    )
    theirs.load_state_dict(ours.state_dict())  # the same names
    theirs.eval()
    images = torch.randn(2, 3, 96, 96)  # the table is resized from 4 x 4 to 6 x 6
    torch.testing.assert_close(ours(images), theirs(images)[0], atol=2e-6, rtol=1e-5)


@torch.no_grad()
def test_attention_equals_hook_on_torch_module():
    encoder = tiny().eval()
    images = torch.randn(2, 3, 64, 64)
    tokens = encoder.prepend_class_token(encoder.patch_tokens(images)[0])
    tokens = encoder.run_layers(tokens, encoder.layers[:1])
    layer = encoder.layers[1]
    query = layer.norm1(tokens)
    _, weights = layer.attn.attn(
        *[query.transpose(0, 1)] * 3, need_weights=True, average_attn_weights=True
    )
    actual = encoder.mean_attention(images, 2)
    torch.testing.assert_close(actual, weights[:, 1:, 1:], atol=1e-6, rtol=1e-5)
    assert (actual.sum(-1) < 1).all()  # the class token takes its share


def test_fused_attention_has_the_gradients_of_torch():
    encoder = tiny()
    attention = encoder.layers[0].attn
    tokens = torch.randn(2, 5, 16, requires_grad=True)
    attention(tokens, identity=torch.zeros_like(tokens)).square().sum().backward()
    fused = [tokens.grad.clone(), attention.attn.in_proj_weight.grad.clone()]
    tokens.grad = attention.attn.in_proj_weight.grad = None
    attention.attn(*[tokens.transpose(0, 1)] * 3)[0].square().sum().backward()
    torch.testing.assert_close(fused[0], tokens.grad)
    torch.testing.assert_close(fused[1], attention.attn.in_proj_weight.grad)


def test_fused_attention_refuses_what_it_would_ignore():
    attention = tiny().layers[0].attn
    with pytest.raises(ValueError, match='takes no attn_mask'):
        attention(torch.zeros(1, 2, 16), attn_mask=torch.zeros(2, 2))


@pytest.mark.parametrize('patch_embed_type', ['linear', 'conv_stem'])
def test_every_parameter_gets_a_gradient(patch_embed_type):
    encoder = tiny(patch_embed_type=patch_embed_type)
    encoder(torch.randn(2, 3, 96, 64)).square().mean().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert encoder.pos_embed.grad.abs().sum() > 0  # through the resizing


def test_checkpointing_changes_no_gradient():
    plain, saving = tiny(), tiny(with_cp=True)
    saving.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 64, 64)
    for encoder in (plain, saving):
        encoder(images).square().mean().backward()
    for one, other in zip(plain.parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_autocast_keeps_attention_in_float32():
    encoder = tiny()
    with torch.autocast('cpu', torch.bfloat16):
        attention = encoder.mean_attention(torch.randn(1, 3, 64, 64), 2)
        features = encoder(torch.randn(1, 3, 64, 64))
    assert attention.dtype == torch.float32
    assert features.isfinite().all()


def test_kept_layers_give_the_same_attention_and_no_features():
    encoder = tiny().eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = encoder.mean_attention(images, 2)
        encoder.keep_layers(2)
        torch.testing.assert_close(encoder.mean_attention(images, 2), expected)
    assert not any(k.startswith(('layers.2', 'ln1')) for k in encoder.state_dict())
    with pytest.raises(RuntimeError, match='serves mean_attention only'):
        encoder(images)


@pytest.mark.parametrize('layer', [0, 4])
def test_unknown_layer_is_refused(layer):
    with pytest.raises(ValueError, match=r'must lie in 1\.\.3'):
        tiny().mean_attention(torch.zeros(1, 3, 64, 64), layer)


def test_conv_stem_layout():
    stem = ConvStem(embed_dims=768, patch_size=16)
    channels = [block[0].out_channels for block in stem.blocks]
    assert channels == [96, 192, 384, 768]
    assert all(block[0].bias is None for block in stem.blocks)
    tokens, grid = stem(torch.zeros(1, 3, 32, 48))
    assert tokens.shape == (1, 6, 768)
    assert grid == (2, 3)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(patch_size=12), 'power of two'),
        (dict(patch_size=16, embed_dims=20), 'multiple of 8'),
    ],
)
def test_conv_stem_refuses(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ConvStem(**kwargs)


def test_unknown_patch_embedding_is_refused():
    with pytest.raises(ValueError, match="got 'conv'"):
        tiny(patch_embed_type='conv')


def test_conv_stem_refuses_odd_crops():
    with pytest.raises(ValueError, match='multiples of patch_size=16; got 64x50'):
        tiny(patch_embed_type='conv_stem')(torch.zeros(1, 3, 64, 50))


def test_parameter_counts_of_the_paper():
    # EXITS, table a5: 93 M for the labeler, 86 M for the similarity extractor; each is
    # a shallow encoder plus equal layers, which spares building 12 of them.
    for kind, millions in (('linear', 85.80), ('conv_stem', 89.29)):
        one, two = (
            sum(p.numel() for p in encoder.parameters())
            for encoder in (
                LabelerViT(patch_embed_type=kind, num_layers=layers)
                for layers in (1, 2)
            )
        )
        assert round((one + 11 * (two - one)) / 1e6, 2) == millions
