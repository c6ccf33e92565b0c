"""Checkpoints of other projects, with their real key names, and what is refused."""

import urllib.error

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmwsis.models.backbones import LabelerViT
from mmwsis.models.convert_encoder import convert_encoder
from mmwsis.models.encoder_key_maps import detect_source, to_labeler_names
from mmwsis.models.encoder_pretrained import EncoderPretrained, load_encoder
from mmwsis.models.labelers import MaskLabelNetwork, SimilarityExtractor

DIMS, LAYERS = 16, 12
TINY = dict(type='mmwsis.LabelerViT', embed_dims=DIMS, num_layers=LAYERS, num_heads=4)


def build(**kwargs):
    settings = {**TINY, **kwargs}
    settings.pop('type')
    return LabelerViT(**settings)


def mae_state(dims=DIMS, layers=LAYERS, grid=14):
    """Names and layout of mae_pretrain_vit_base.pth, 12 layers, narrow."""
    shapes = {
        'cls_token': (1, 1, dims),
        'pos_embed': (1, 1 + grid**2, dims),
        'patch_embed.proj.weight': (dims, 3, 16, 16),
        'patch_embed.proj.bias': (dims,),
        'norm.weight': (dims,),
        'norm.bias': (dims,),
    }
    for i in range(layers):
        block = {
            'norm1': (dims,),
            'attn.qkv': (3 * dims, dims),
            'attn.proj': (dims, dims),
            'norm2': (dims,),
            'mlp.fc1': (4 * dims, dims),
            'mlp.fc2': (dims, 4 * dims),
        }
        for name, shape in block.items():
            shapes[f'blocks.{i}.{name}.weight'] = shape
            shapes[f'blocks.{i}.{name}.bias'] = shape[:1]
    generator = torch.Generator().manual_seed(0)
    return {k: torch.randn(s, generator=generator) for k, s in shapes.items()}


def transformers_state(mae):
    """The same weights as transformers 4.x names them."""
    names = {
        'norm1': 'layernorm_before',
        'norm2': 'layernorm_after',
        'attn.proj': 'attention.output.dense',
        'mlp.fc1': 'intermediate.dense',
        'mlp.fc2': 'output.dense',
    }
    top = {
        'cls_token': 'vit.embeddings.cls_token',
        'pos_embed': 'vit.embeddings.position_embeddings',
        'patch_embed.proj': 'vit.embeddings.patch_embeddings.projection',
        'norm': 'vit.layernorm',
    }
    state = {}
    for key, value in mae.items():
        if key in top:
            state[top[key]] = value
            continue
        stem, kind = key.rsplit('.', 1)
        if stem in top:
            state[f'{top[stem]}.{kind}'] = value
            continue
        _, index, name = stem.split('.', 2)
        layer = f'vit.encoder.layer.{index}'
        if name == 'attn.qkv':
            for part, rows in zip(
                ('query', 'key', 'value'), value.chunk(3), strict=True
            ):
                state[f'{layer}.attention.attention.{part}.{kind}'] = rows
        else:
            state[f'{layer}.{names[name]}.{kind}'] = value
    return state


def save(path, obj):
    torch.save(obj, path)
    return str(path)


def load(encoder, path, **kwargs):
    EncoderPretrained(path, **kwargs)(encoder)
    return encoder


def assert_holds_mae(encoder, mae, layers=LAYERS):
    for ours, theirs in {
        'cls_token': 'cls_token',
        'layers.3.attn.attn.in_proj_weight': 'blocks.3.attn.qkv.weight',
        'layers.0.attn.attn.out_proj.bias': 'blocks.0.attn.proj.bias',
        'layers.7.ffn.layers.0.0.weight': 'blocks.7.mlp.fc1.weight',
        'layers.7.ffn.layers.1.bias': 'blocks.7.mlp.fc2.bias',
        'layers.2.ln2.weight': 'blocks.2.norm2.weight',
    }.items():
        torch.testing.assert_close(encoder.state_dict()[ours], mae[theirs])


@pytest.mark.parametrize('source', ['auto', 'mae'])
def test_mae_release(tmp_path, source):
    mae = mae_state()
    decoder = {
        'mask_token': torch.zeros(1, 1, 8),
        'decoder_embed.weight': torch.zeros(8),
    }
    path = save(tmp_path / 'mae.pth', dict(model={**mae, **decoder}))
    encoder = load(build(), path, source=source)
    assert_holds_mae(encoder, mae)
    torch.testing.assert_close(encoder.norm1.weight.data, mae['norm.weight'])
    torch.testing.assert_close(
        encoder.patch_embed.projection.weight.data, mae['patch_embed.proj.weight']
    )


def test_transformers_release(tmp_path):
    mae = mae_state()
    state = {**transformers_state(mae), 'decoder.mask_token': torch.zeros(1)}
    encoder = load(build(), save(tmp_path / 'hf.bin', state))
    other = load(build(), save(tmp_path / 'mae.pth', mae))
    for name, value in other.state_dict().items():
        torch.testing.assert_close(encoder.state_dict()[name], value, msg=name)


def test_transformers_without_query_is_refused():
    state = transformers_state(mae_state())
    del state['vit.encoder.layer.4.attention.attention.query.weight']
    with pytest.raises(ValueError, match=r'layers\.4.*lacks query'):
        to_labeler_names(state)


@pytest.mark.parametrize('prefix', ['student.encoder.', 'encoder.', 'backbone.', ''])
def test_own_stages(tmp_path, prefix):
    trained = build()
    state = {prefix + k: v for k, v in trained.state_dict().items()}
    if prefix:
        state['teacher.encoder.cls_token'] = torch.zeros(1, 1, DIMS)
        state['student.mask_head.convs.0.conv.bias'] = torch.zeros(4)
    # What MMEngine puts beside the weights must pass torch's weights_only safety.
    buffer = HistoryBuffer([1.0, 2.0], [1, 1])
    checkpoint = dict(
        state_dict=state,
        meta=dict(epoch=1, seed=np.int64(3)),
        message_hub=dict(log_scalars=dict(loss=buffer)),
    )
    encoder = load(build(), save(tmp_path / 'epoch_1.pth', checkpoint))
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(encoder.state_dict()[name], value, msg=name)


def test_position_table_of_real_shape_is_resized():
    table = torch.randn(1, 197, 768)
    encoder = LabelerViT(img_size=128, patch_size=8, num_layers=1)
    state = {**encoder.state_dict(), 'pos_embed': table}
    report = load_encoder(encoder, state)
    assert report.resized
    assert encoder.pos_embed.shape == (1, 257, 768)
    torch.testing.assert_close(encoder.pos_embed.data[:, 0], table[:, 0])
    expected = torch.nn.functional.interpolate(
        table[:, 1:].view(1, 14, 14, 768).permute(0, 3, 1, 2),
        size=(16, 16),
        mode='bicubic',
        align_corners=False,
    )
    torch.testing.assert_close(
        encoder.pos_embed.data[:, 1:], expected.flatten(2).transpose(1, 2)
    )


def test_table_that_is_no_square_is_refused():
    encoder = build()
    state = {**encoder.state_dict(), 'pos_embed': torch.zeros(1, 200, DIMS)}
    with pytest.raises(ValueError, match=r'square grid.*\(1, 200, 16\)'):
        load_encoder(encoder, state)


def test_conv_stem_keeps_its_random_start(tmp_path):
    mae = mae_state()
    encoder = build(patch_embed_type='conv_stem')
    encoder.init_weights()
    before = encoder.patch_embed.projection.weight.clone()
    load(encoder, save(tmp_path / 'mae.pth', dict(model=mae)))
    torch.testing.assert_close(encoder.patch_embed.projection.weight.data, before)
    assert_holds_mae(encoder, mae)
    report = load_encoder(encoder, to_labeler_names(mae))
    assert all(name.startswith('patch_embed.') for name in report.kept)


def test_conv_stem_loads_a_conv_stem():
    trained = build(patch_embed_type='conv_stem')
    encoder = build(patch_embed_type='conv_stem')
    report = load_encoder(encoder, trained.state_dict())
    assert not report.kept
    torch.testing.assert_close(
        encoder.patch_embed.projection.weight, trained.patch_embed.projection.weight
    )


def test_extractor_loads_only_the_layers_it_keeps(tmp_path):
    mae = mae_state()
    path = save(tmp_path / 'mae.pth', dict(model=mae))
    init_cfg = dict(type='mmwsis.EncoderPretrained', checkpoint=path)
    extractor = SimilarityExtractor(TINY, layer=10, init_cfg=init_cfg)
    extractor.init_weights()
    assert len(extractor.encoder.layers) == 10
    assert_holds_mae(extractor.encoder, mae)
    assert not extractor.encoder.layers[0].ln1.weight.requires_grad


def test_nested_encoder_is_initialised_through_init_cfg(tmp_path):
    mae = mae_state()
    path = save(tmp_path / 'mae.pth', dict(model=mae))
    init_cfg = dict(type='mmwsis.EncoderPretrained', checkpoint=path)
    head = dict(type='mmwsis.ScaleAwareMaskHead', in_channels=DIMS, feat_channels=4)
    network = MaskLabelNetwork(dict(TINY, init_cfg=init_cfg), head)
    network.init_weights()
    assert_holds_mae(network.encoder, mae)
    assert network.encoder.init_cfg == init_cfg  # kept for a deep copy, for example


def test_every_difference_is_listed(tmp_path):
    mae = mae_state()
    del mae['blocks.5.norm1.bias']
    mae['blocks.12.norm1.bias'] = torch.zeros(DIMS)
    mae['surprise'] = torch.zeros(1)
    mae['cls_token'] = torch.zeros(1, 1, 8)
    path = save(tmp_path / 'mae.pth', mae)
    encoder = build()
    before = encoder.cls_token.clone()
    with pytest.raises(ValueError) as error:
        load(encoder, path)
    for part in (
        path,
        'missing in the checkpoint: layers.5.ln1.bias',
        'unexpected in the checkpoint: layers.12.ln1.bias, surprise',
        'cls_token: (1, 1, 8), expected (1, 1, 16)',
    ):
        assert part in str(error.value)
    torch.testing.assert_close(encoder.cls_token, before)


def test_linear_embedding_is_never_left_random():
    state = build(patch_embed_type='conv_stem').state_dict()
    with pytest.raises(ValueError, match=r'unexpected.*patch_embed\.blocks'):
        load_encoder(build(), state)


def test_missing_file_says_where_to_get_it():
    with pytest.raises(FileNotFoundError, match=r'dl\.fbaipublicfiles\.com/mae'):
        load(build(), 'checkpoints/mae.pth')


def test_missing_file_says_what_makes_it():
    command = 'python tools/train.py configs/exits/mae.py'
    with pytest.raises(FileNotFoundError, match=f'Make it with: {command}'):
        load(build(), 'work_dirs/mae/epoch_1.pth', made_by=command)


def test_failed_download_is_explained(monkeypatch):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError('no route to host')

    monkeypatch.setattr(
        'mmwsis.models.encoder_pretrained.CheckpointLoader.load_checkpoint', refuse
    )
    with pytest.raises(FileNotFoundError, match='could not be downloaded.*no route'):
        load(build(), 'https://example.org/mae.pth')


@pytest.mark.parametrize('content', [b'', b'not a checkpoint', b'PK\x03\x04 truncated'])
def test_damaged_file_is_named(tmp_path, content):
    path = tmp_path / 'mae.pth'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'mae\.pth \(\d+ bytes\) is no checkpoint'):
        load(build(), str(path))


class Harmful:
    def __reduce__(self):
        return print, ('executed',)


def test_code_in_a_checkpoint_is_not_executed(tmp_path, capsys):
    path = save(tmp_path / 'mae.pth', dict(model=Harmful()))
    with pytest.raises(ValueError, match='holds more than tensors: builtins.print'):
        load(build(), path)
    assert 'executed' not in capsys.readouterr().out


def test_unknown_naming_is_refused():
    with pytest.raises(ValueError, match='conv1.weight'):
        detect_source({'conv1.weight': torch.zeros(1)})
    with pytest.raises(ValueError, match="source must be 'auto' or one of"):
        to_labeler_names(mae_state(), 'timm')


def test_it_belongs_to_the_encoder(tmp_path):
    path = save(tmp_path / 'mae.pth', mae_state())
    with pytest.raises(TypeError, match='given to Linear'):
        EncoderPretrained(path)(torch.nn.Linear(2, 2))


def test_converted_file_loads(tmp_path):
    mae = mae_state()
    source = save(tmp_path / 'mae.pth', dict(model=mae))
    count = convert_encoder(source, tmp_path / 'out' / 'encoder.pth')
    assert count == len(mae)
    encoder = load(build(), str(tmp_path / 'out' / 'encoder.pth'), source='mmwsis')
    assert_holds_mae(encoder, mae)
