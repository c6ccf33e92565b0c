# WISE on VOC 2012, the 1,464 images of the segmentation train set: clicks of people
# (docs/datasets/voc.md), whole images, one at a time.
_base_ = [
    '../_base_/models/wise_r50.py',
    '../data_specs/voc_train.py',
    '../_base_/datasets/wise_images.py',
    '../_base_/schedules/wise_200k.py',
    '../_base_/wise_runtime.py',
]

# What configs/proposals/built-in_coco.py makes; imported ones are other folders here.
proposals = 'data/voc/proposals/built_in'
val_proposals = 'data/voc/proposals/built_in_val'
_base_.train_pipeline[1].path = proposals
_base_.test_pipeline[1].path = val_proposals
_base_.label_pipeline[1].path = proposals
training_images = dict(
    metainfo=dict(classes=_base_.data_spec.classes),
    data_root=_base_.data_spec.data_root,
    ann_file=_base_.data_spec.train.weak.points,
    data_prefix=dict(img=_base_.data_spec.train.img),
)
train_dataloader = dict(dataset=dict(**training_images, pipeline=_base_.train_pipeline))
val_dataloader = dict(
    dataset=dict(
        metainfo=dict(classes=_base_.data_spec.classes),
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.val.ann_file,
        data_prefix=dict(img=_base_.data_spec.val.img),
        pipeline=_base_.test_pipeline,
    )
)
test_dataloader = val_dataloader
pseudo_label_dataloader = dict(
    dataset=dict(**training_images, pipeline=_base_.label_pipeline)
)
del training_images  # the loaders have it
truth = f'{_base_.data_spec.data_root}/{_base_.data_spec.val.ann_file}'
val_evaluator = [
    dict(
        type='mmwsis.CocoInstanceMetric',
        ann_file=truth,
        metric='segm',
        ap_thrs=(0.25, 0.5, 0.75),
        skip_images_without_gt='both',
        remove_void=True,
    ),
    dict(type='mmwsis.CountingMetric', ann_file=truth),
]
test_evaluator = val_evaluator

wsis = dict(
    method='WISE',
    stage='end_to_end',
    supervision='points',
    requires=[
        dict(
            path=proposals,
            command='python tools/generate_pseudo_labels.py '
            'configs/proposals/built-in_coco.py '
            '--dataset configs/data_specs/voc_train.py '
            f'--out {proposals}',
        ),
        dict(
            path=val_proposals,
            command='python tools/generate_pseudo_labels.py '
            'configs/proposals/built-in_coco.py '
            '--dataset configs/data_specs/voc_train.py '
            f'--out {val_proposals} --cfg-options '
            'pseudo_label_dataloader.dataset.ann_file={val[ann_file]} '
            'pseudo_label_dataloader.dataset.data_prefix.img={val[img]}',
        ),
    ],
    produces='data/voc/pseudo_labels/wise.json',
)
