# Weak panoptic on PASCAL VOC, every stage in order:
#   python tools/run_pipeline.py configs/weak_panoptic/pipeline.py
# Its one stuff class is what no box has: there are no tags, and boxes alone make the labels.
# One round, as in the paper, is no refinement; both networks learn from these labels, and
# `--rounds 2` refines those of the semantic one. Cityscapes has a pipeline of its own, for its
# coarse images.
_base_ = [
    '../_base_/pipelines/stages.py',
    '../_base_/pipelines/weak_panoptic_stages.py',
]

_stages = {stage['name']: stage for stage in _base_.stages}
_rounds = _stages['refinement']
_network, _network_test, _labels, _label_quality = _rounds['stages']
_truth = '{data_root}/{train.panoptic.ann_file}'
_first = 'train_dataloader.dataset.pipeline.1.ann_file'
_own = dict(
    weak_labels=dict(
        command=[
            'tools/dataset_converters/coco2weak.py',
            *(_truth, '--panoptic-dir', '{data_root}/{train.panoptic.seg}'),
            *('--level', 'boxes', '--out', '{data_root}/{train.weak.boxes}'),
            *('--overwrite', '--keep-handmade'),
        ],
    ),
    first_labels=dict(
        config='{box_labels}',
        cfg_options={
            'pseudo_label_dataloader.dataset.pipeline.1.path': '{proposals}',
        },
    ),
    refinement=dict(
        stages=[
            dict(_network, cfg_options={_first: '{previous:labels}'}),
            _network_test,
            {k: v for k, v in _labels.items() if k != 'cfg_options'},
            _label_quality,
        ],
        for_next=['labels', 'label_quality'],
    ),
    instance_network=dict(
        cfg_options={
            **_stages['instance_network']['cfg_options'],
            _first: '{out:first_labels}',
        },
    ),
)
pipeline = dict(
    name='weak_panoptic_{data}',
    title='Weak panoptic on {title}',
    supervision='boxes',
    data=dict(
        voc_panoptic=dict(
            title='VOC 2012',
            num_rounds=1,
            proposals='{data_root}/proposals/built_in',
            box_labels='mmwsis::weak_panoptic/box-labels_voc.py',
            network='mmwsis::weak_panoptic/semantic_pspnet-r101_voc.py',
            detector='mmwsis::weak_panoptic/detector_faster-rcnn_r101_voc.py',
            instance_network='mmwsis::weak_panoptic/weak_panoptic_r101_voc.py',
            refined='mmwsis::weak_panoptic/panoptic-fpn_r50_voc.py',
        ),
    ),
    dataset='mmwsis::_base_/datasets/voc_panoptic.py',
    stages=[
        {**stage, **_own.get(stage['name'], {})}
        for stage in _base_.stages
        if stage['name']
        not in ('mixed_labels', 'box_labels', 'classifier', 'tag_labels')
    ],
)
del (
    _stages,
    _rounds,
    _network,
    _network_test,
    _labels,
    _label_quality,
    _truth,
    _first,
    _own,
)
