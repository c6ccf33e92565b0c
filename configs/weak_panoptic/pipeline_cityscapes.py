# Weak panoptic on Cityscapes, every stage in order:
#   python tools/run_pipeline.py configs/weak_panoptic/pipeline_cityscapes.py
# The semantic network learns from fine and coarse images (`extra`); the detector and the last
# network from fine ones.
_base_ = [
    '../_base_/pipelines/stages.py',
    '../_base_/pipelines/weak_panoptic_stages.py',
]

_stages = {stage['name']: stage for stage in _base_.stages}
_labels = '{data_root}/pseudo_labels'
_weak = '{data_root}/weak/boxes_gtCoarse_train_extra.json'
_coarse = {
    'pseudo_label_dataloader.dataset.data_root': '{data_root}',
    'pseudo_label_dataloader.dataset.ann_file': _weak,
    'pseudo_label_dataloader.dataset.data_prefix.img': (
        '{data_root}/leftImg8bit/train_extra/'
    ),
}
# Coarse images are neither checked by tags nor by boxes, nor have they instances (the table
# of switches in docs/methods/weak_panoptic.md).
_off = {
    f'model.test_cfg.{{}}{key}': False for key in ('tags', 'box_prior', 'instances')
}
_merging = {key.format(''): value for key, value in _off.items()}
_refining = {key.format('refinement.'): value for key, value in _off.items()}
_extra = [
    dict(
        name='extra_weak_labels',
        type='command',
        command=[
            'tools/dataset_converters/coco2weak.py',
            '{data_root}/annotations/panoptic_gtCoarse_train_extra.json',
            *('--level', 'boxes', '--crop-tags', '{crop}'),
            *('--out', _weak, '--overwrite', '--keep-handmade'),
        ],
        inputs=['{data_root}/annotations/panoptic_gtCoarse_train_extra.json'],
        outputs=[_weak],
    ),
    dict(
        name='extra_proposals',
        type='generate',
        config='mmwsis::proposals/built-in_coco.py',
        has_weights=False,
        artifact='proposals',
        out='{proposals}_extra',
        cfg_options=_coarse,
    ),
    dict(
        name='extra_box_labels',
        type='generate',
        config='{box_labels}',
        has_weights=False,
        artifact='semantic_maps',
        out=f'{_labels}/box_labels_extra',
        cfg_options={
            **_coarse,
            'pseudo_label_dataloader.dataset.pipeline.1.path': '{proposals}_extra',
        },
    ),
    dict(
        name='extra_tag_labels',
        type='generate',
        config='{classifier}',
        artifact='semantic_maps',
        out=f'{_labels}/grad_cam_extra',
        cfg_options={**_coarse, 'artifact.background': False},
    ),
    dict(
        name='extra_first_labels',
        type='generate',
        config='{merged_labels}',
        has_weights=False,
        artifact='panoptic_maps',
        out=f'{_labels}/weak_panoptic_extra_round0.json',
        cfg_options={
            **_coarse,
            **_merging,
            'pseudo_label_dataloader.dataset.pipeline.1.folder': (
                '{out:extra_tag_labels}'
            ),
            'pseudo_label_dataloader.dataset.pipeline.2.folder': (
                '{out:extra_box_labels}'
            ),
        },
    ),
]
_round = {stage['name']: stage for stage in _stages['refinement']['stages']}
_network = dict(
    _round['network'],
    cfg_options={
        'train_dataloader.dataset.datasets.0.pipeline.1.ann_file': '{previous:labels}',
        'train_dataloader.dataset.datasets.1.pipeline.1.ann_file': (
            '{previous:extra_labels}'
        ),
        'pseudo_label_dataloader.dataset.pipeline.2.folder': '{out:box_labels}',
    },
)
_extra_labels = dict(
    _round['labels'],
    name='extra_labels',
    out=f'{_labels}/weak_panoptic_extra_round{{round}}.json',
    cfg_options={
        **_coarse,
        **_refining,
        'pseudo_label_dataloader.dataset.pipeline.2.folder': '{out:extra_box_labels}',
    },
)
_refinement = dict(
    _stages['refinement'],
    first=dict(labels='{out:first_labels}', extra_labels='{out:extra_first_labels}'),
    stages=[
        _network,
        _round['network_test'],
        _round['labels'],
        _round['label_quality'],
        _extra_labels,
    ],
    for_next=['extra_labels'],  # what follows the rounds reads fine images alone
    from_round={
        start: {**changes, 'extra_labels': changes['labels']}
        for start, changes in _stages['refinement']['from_round'].items()
    },
)
# The paper's AP^r_vol of Cityscapes is over thresholds from .5 to .95.
_table = dict(
    _stages['report']['table'],
    metrics=[
        *('PQ', 'PQ of things', 'PQ of stuff'),
        'AP^r_vol .5:.95',
        'AP^r_vol .5:.95 of things',
        'AP^r_vol .5:.95 of stuff',
        'mIoU',
    ],
)
_full_network = dict(
    _stages['full_network'],
    cfg_options={
        'train_dataloader.dataset.datasets.0.pipeline.1.ann_file': (
            '{data_root}/{train.panoptic.ann_file}'
        ),
        'train_dataloader.dataset.datasets.1.pipeline.1.ann_file': (
            '{data_root}/annotations/panoptic_gtCoarse_train_extra.json'
        ),
    },
)
_own = dict(
    refinement=[*_extra, _refinement],
    full_network=[_full_network],
    report=[dict(_stages['report'], table=_table)],
)
pipeline = dict(
    name='weak_panoptic_{data}',
    title='Weak panoptic on {title}',
    supervision='boxes',
    without=['mixed_labels'],
    data=dict(
        cityscapes_panoptic=dict(
            title='Cityscapes',
            num_rounds=6,
            proposals='{data_root}/proposals/built_in',
            crop='400x500',
            box_labels='mmwsis::weak_panoptic/box-labels_cityscapes.py',
            classifier='mmwsis::weak_panoptic/classifier_r50_cityscapes.py',
            merged_labels='mmwsis::weak_panoptic/merged-labels_cityscapes.py',
            network='mmwsis::weak_panoptic/semantic_pspnet-r101_cityscapes.py',
            detector='mmwsis::weak_panoptic/detector_faster-rcnn_r101_cityscapes.py',
            instance_network='mmwsis::weak_panoptic/weak_panoptic_r101_cityscapes.py',
            refined='mmwsis::weak_panoptic/panoptic-fpn_r50_cityscapes.py',
        ),
    ),
    dataset='mmwsis::_base_/datasets/cityscapes_panoptic.py',
    stages=[
        entry for stage in _base_.stages for entry in _own.get(stage['name'], [stage])
    ],
)
del (
    _stages,
    _labels,
    _weak,
    _coarse,
    _off,
    _merging,
    _refining,
    _extra,
    _round,
    _network,
)
del _extra_labels, _refinement, _table, _full_network, _own
