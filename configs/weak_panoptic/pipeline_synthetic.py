# Weak panoptic on synthetic scenes, every stage in order:
#   python tools/run_pipeline.py configs/weak_panoptic/pipeline_synthetic.py
_base_ = [
    '../_base_/pipelines/synthetic.py',
    '../_base_/pipelines/weak_panoptic_stages.py',
]

pipeline = dict(
    name='weak_panoptic_{data}',
    title='Weak panoptic on {title}',
    supervision='boxes',
    without=['mixed_labels'],
    data=dict(
        synthetic_panoptic=dict(
            title='synthetic scenes',
            num_rounds=2,  # two cores have no time for six
            proposals='{data_root}/proposals/built_in',
            crop='80x80',
            box_labels='mmwsis::weak_panoptic/box-labels_synthetic.py',
            classifier='mmwsis::weak_panoptic/classifier_r18_synthetic.py',
            merged_labels='mmwsis::weak_panoptic/merged-labels_synthetic.py',
            network='mmwsis::weak_panoptic/semantic_pspnet-r18_synthetic.py',
            detector='mmwsis::weak_panoptic/detector_faster-rcnn_r18_synthetic.py',
            instance_network='mmwsis::weak_panoptic/weak_panoptic_r18_synthetic.py',
            refined='mmwsis::weak_panoptic/panoptic-fpn_r18_synthetic.py',
        ),
    ),
    dataset='mmwsis::_base_/datasets/synthetic_panoptic.py',
    baseline_seeds=1,
    stages=[dict(name='scenes'), *_base_.stages],
    fast=dict(
        # Two iterations leave a classifier at chance,
        tag_labels=dict(args=['--force']),
        # and a network without an object to train another one on.
        final_model={
            'train_dataloader.dataset.ann_file': (
                'pseudo_labels/weak_panoptic_round0.json'
            ),
            'train_dataloader.dataset.data_prefix.seg': (
                'pseudo_labels/weak_panoptic_round0/'
            ),
        },
    ),
)
