# Weak panoptic on PASCAL VOC, every stage in order:
#   python tools/run_pipeline.py configs/weak_panoptic/pipeline.py
# Its one stuff class is what no box has: there are no tags, and boxes alone make the labels of
# the first round. Cityscapes has a pipeline of its own, for its coarse images.
_base_ = [
    '../_base_/pipelines/stages.py',
    '../_base_/pipelines/weak_panoptic_stages.py',
]

_own = dict(
    weak_labels=dict(
        command=[
            'tools/dataset_converters/coco2weak.py',
            '{data_root}/{train.panoptic.ann_file}',
            *('--level', 'boxes', '--out', '{data_root}/{train.weak.boxes}'),
            *('--overwrite', '--keep-handmade'),
        ],
    ),
    first_labels=dict(
        cfg_options={
            'pseudo_label_dataloader.dataset.pipeline.1.path': '{proposals}',
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
            merged_labels='mmwsis::weak_panoptic/first-labels_voc.py',
            network='mmwsis::weak_panoptic/semantic_pspnet-r101_voc.py',
            detector='mmwsis::weak_panoptic/detector_faster-rcnn_r101_voc.py',
            instance_network='mmwsis::weak_panoptic/weak_panoptic_r101_voc.py',
            refined='',
            without=['final_model', 'final_test'],
        ),
    ),
    dataset='mmwsis::_base_/datasets/voc_panoptic.py',
    stages=[
        {**stage, **_own.get(stage['name'], {})}
        for stage in _base_.stages
        if stage['name'] not in ('classifier', 'tag_labels')
    ],
)
del _own
