# Weak panoptic on Cityscapes, a quarter of the fine images with full labels:
#   python tools/run_pipeline.py configs/weak_panoptic/pipeline_semi_cityscapes.py
# Another share is another --masks below. Proposals, label maps of boxes and tags, coarse images'
# first labels and detector are those of pipeline_cityscapes.py; what has learned from full
# labels has files of its own.
_base_ = './pipeline_cityscapes.py'

_weak = '{data_root}/weak/masks25_boxes75_gtFine_train.json'
_label = {'pseudo_label_dataloader.dataset.ann_file': _weak}
_truth = '{data_root}/{train.panoptic.ann_file}'
_made = '{data_root}/pseudo_labels/weak_panoptic_semi'
_folder = 'work_dirs/weak_panoptic_semi_{data}'
_mixed = dict(
    name='mixed_labels',
    type='command',
    command=[
        'tools/dataset_converters/mix_supervision.py',
        _truth,
        *('--masks', '25%', '--boxes', 'rest', '--seed', '0'),
        *('--crop-tags', '{crop}', '--out', _weak, '--overwrite'),
    ],
    inputs=[_truth],
    outputs=[_weak],
)
_stages = {stage['name']: stage for stage in _base_.pipeline.stages}
_network, _network_test, _labels, _label_quality, _extra_labels = _stages['refinement'][
    'stages'
]
_own = dict(
    first_labels=dict(
        out=f'{_made}_round0.json',
        cfg_options={**_stages['first_labels']['cfg_options'], **_label},
    ),
    # Of coarse images no map is full.
    extra_first_labels=dict(config='mmwsis::weak_panoptic/merged-labels_cityscapes.py'),
    refinement=dict(
        stages=[
            _network,
            _network_test,
            dict(
                _labels,
                out=f'{_made}_round{{round}}.json',
                cfg_options={**_labels['cfg_options'], **_label},
            ),
            _label_quality,
            dict(
                _extra_labels,
                out=f'{_made}_extra_round{{round}}.json',
                cfg_options={
                    **_extra_labels['cfg_options'],
                    'pseudo_label_dataloader.dataset.supervision': 'boxes',
                },
            ),
        ],
    ),
    piecewise_test=dict(work_dir=f'{_folder}/piecewise'),
    instance_network=dict(work_dir=f'{_folder}/instance_network'),
    instance_test=dict(work_dir=f'{_folder}/instance_network'),
    pseudo_labels=dict(
        work_dir=f'{_folder}/instance_network',
        artifact='panoptic_maps',
        out=f'{_made}.json',
    ),
)
pipeline = dict(
    name='weak_panoptic_semi_{data}',
    title='Weak panoptic on {title}, a quarter with full labels',
    without=[
        *('full_network', 'full_supervision', 'full_test', 'final_model', 'final_test'),
    ],
    data=dict(
        cityscapes_panoptic=dict(
            merged_labels='mmwsis::weak_panoptic/merged-labels_semi_cityscapes.py',
            network='mmwsis::weak_panoptic/semantic_pspnet-r101_semi_cityscapes.py',
        ),
    ),
    stages=[
        _mixed,
        *({**stage, **_own.get(stage['name'], {})} for stage in _base_.pipeline.stages),
    ],
)
del _weak, _label, _truth, _made, _folder, _mixed, _stages, _network, _network_test
del _labels, _label_quality, _extra_labels, _own
