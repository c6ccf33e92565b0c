# The semantic network of weak panoptic on Cityscapes: 2,975 fine and 19,998 coarse images,
# boxes of 8 things and tags of 11 classes of stuff. The switches for coarse images are in
# pipeline_cityscapes.py.
_base_ = [
    '../_base_/models/weak_panoptic_r101.py',
    '../_base_/datasets/cityscapes_panoptic.py',
    '../_base_/datasets/weak_panoptic_images.py',
    '../_base_/schedules/weak_panoptic_150k.py',
    '../_base_/end_to_end_runtime.py',
]

model = dict(
    num_things_classes=8,
    num_stuff_classes=11,
    decode_head=dict(num_classes=19),
    auxiliary_head=dict(num_classes=19),
    instance_head=None,  # weak_panoptic_r101_cityscapes.py has it
    # The labels of the next round of fine images; `merge` is switched off from the sixth on.
    test_cfg=dict(
        refinement=dict(
            crf=dict(kernels='deeplab_v2', num_iters=10),
            score_thr=0.99,
            tags=True,
            image_level=False,  # tags of crops, as the released code; True: of images
            merge=True,
            box_prior=True,
            low_iou=0.5,
            keep_things=True,
            full_box=False,
            instances=True,
        ),
    ),
)

# Labels that are trained on: of the first round here, of the others by the pipeline.
labels = 'data/cityscapes/pseudo_labels/weak_panoptic_round0.json'
box_labels = 'data/cityscapes/pseudo_labels/box_labels'
extra_labels = 'data/cityscapes/pseudo_labels/weak_panoptic_extra_round0.json'
_base_.known_labels[0].folder = box_labels
coarse_images = dict(
    metainfo=_base_.metainfo,
    data_root=_base_.data_root,
    ann_file='weak/boxes_gtCoarse_train_extra.json',
    data_prefix=dict(img='leftImg8bit/train_extra/'),
)
train_dataloader = dict(
    _delete_=True,
    **_base_.train_loader,
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                **_base_.weak_dataset,
                **_base_.train_boxes,
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(**_base_.label_map, ann_file=labels),
                    *_base_.augmentation,
                ],
            ),
            dict(
                **_base_.weak_dataset,
                **coarse_images,
                pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(**_base_.label_map, ann_file=extra_labels),
                    *_base_.augmentation,
                ],
            ),
        ],
    ),
)
pseudo_label_dataloader = dict(
    **_base_.label_loader,
    dataset=dict(
        **_base_.weak_dataset,
        **_base_.train_boxes,
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            _base_.predicted_size,
            *_base_.known_labels,
            dict(type='mmwsis.PackWeakInputs'),
        ],
    ),
)
artifact = 'panoptic_maps'
val_dataloader = dict(
    num_workers=4,
    dataset=dict(
        return_classes=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            _base_.predicted_size,
            dict(type='mmwsis.PackWeakInputs', with_tags=False),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True, type='mmwsis.SemanticIoUMetric', **_base_.val_panoptic
)
test_evaluator = val_evaluator
default_hooks = dict(
    checkpoint=dict(interval=10000),
    visualization=dict(type='mmwsis.PanopticVisualizationHook'),
)

wsis = dict(
    method='Weak panoptic',
    stage='end_to_end',
    supervision='boxes',
    requires=[
        dict(
            path='data/cityscapes/weak/boxes_gtCoarse_train_extra.json',
            command='python tools/dataset_converters/coco2weak.py '
            'data/cityscapes/annotations/panoptic_gtCoarse_train_extra.json '
            '--level boxes --crop-tags 400x500 '
            '--out data/cityscapes/weak/boxes_gtCoarse_train_extra.json',
        ),
        'configs/weak_panoptic/merged-labels_cityscapes.py',
        'configs/weak_panoptic/box-labels_cityscapes.py',
        dict(
            path=extra_labels,
            command='python tools/run_pipeline.py '
            'configs/weak_panoptic/pipeline_cityscapes.py --until extra_first_labels',
        ),
    ],
    produces='data/cityscapes/pseudo_labels/weak_panoptic_round1.json',
)
del coarse_images
