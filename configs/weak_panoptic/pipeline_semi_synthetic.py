# Weak panoptic on synthetic scenes, a quarter of them with full labels:
#   python tools/run_pipeline.py configs/weak_panoptic/pipeline_semi_synthetic.py
# Another share is another --masks below. Everything lies below a root of its own, because the
# stages write files of the same names as pipeline_synthetic.py.
_base_ = './pipeline_synthetic.py'

_weak = '{data_root}/weak/masks25_boxes75_panoptic_train.json'
_label = {'pseudo_label_dataloader.dataset.ann_file': _weak}
_both = {'train_dataloader.dataset.ann_file': _weak, **_label}
_truth = '{data_root}/{train.panoptic.ann_file}'
_of_stage = dict(
    proposals=_label,
    box_labels=_label,
    classifier=_both,
    tag_labels=_label,
    first_labels=_label,
    detector=_both,
    detections=_label,
    instance_network=_both,
    pseudo_labels=_label,
)
_stages = [
    {
        **stage,
        'cfg_options': {**stage.get('cfg_options', {}), **_of_stage[stage['name']]},
    }
    if stage['name'] in _of_stage
    else stage
    for stage in _base_.pipeline.stages
]
_weak_labels = dict(
    name='weak_labels',
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
_proposals = dict(
    name='proposals',
    cfg_options={
        'pseudo_label_dataloader.dataset.data_root': '{data_root}',
        'pseudo_label_dataloader.dataset.data_prefix.img': '{data_root}/{train.img}',
        **_label,
    },
)
_first = dict(out='{data_root}/pseudo_labels/weak_panoptic_semi_round0.json')
_own = dict(weak_labels=_weak_labels, proposals=_proposals, first_labels=_first)
pipeline = dict(
    name='weak_panoptic_semi_{data}',
    title='Weak panoptic on {title}, a quarter with full labels',
    root='work_dirs/weak_panoptic_semi',
    without=[
        *('full_network', 'full_supervision', 'full_test', 'final_model', 'final_test'),
    ],
    data=dict(
        synthetic_panoptic=dict(
            merged_labels='mmwsis::weak_panoptic/merged-labels_semi_synthetic.py',
            network='mmwsis::weak_panoptic/semantic_pspnet-r18_semi_synthetic.py',
        ),
    ),
    stages=[{**stage, **_own.get(stage['name'], {})} for stage in _stages],
)
del (
    _weak,
    _label,
    _both,
    _truth,
    _of_stage,
    _first,
    _stages,
    _weak_labels,
    _proposals,
    _own,
)
