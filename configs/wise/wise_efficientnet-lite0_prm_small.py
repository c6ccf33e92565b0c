# "PRM + E-Net" on a few hundred photographs, from image tags alone, as in
# wise_r50_prm_voc.py.
_base_ = './wise_efficientnet-lite0_small.py'

model = dict(localization_weight=0.0, test_cfg=dict(mask_source='prm'))

points = 'data/small/pseudo_labels/wise_prm_points.json'
val_points = 'data/small/pseudo_labels/wise_prm_points_val.json'
train_pipeline = _base_.train_pipeline
train_pipeline[2] = dict(type='mmwsis.LoadCues', ann_file=points)
label_pipeline = _base_.label_pipeline
label_pipeline[2] = train_pipeline[2]
# No masks, but points, which move when the image is resized.
test_pipeline = _base_.test_pipeline
test_pipeline[2:4] = [
    dict(type='mmwsis.LoadCues', ann_file=val_points),
    test_pipeline[2],
]
tags = dict(supervision='image_tags', ann_file=_base_.data_spec.train.weak.image_tags)
train_dataloader = dict(dataset=dict(**tags, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
pseudo_label_dataloader = dict(dataset=dict(**tags, pipeline=label_pipeline))

wsis = dict(
    supervision='image_tags',
    requires=[
        *_base_.wsis.requires,
        'configs/wise/prm_efficientnet-lite0_small.py',
        dict(
            path=val_points,
            command='python tools/generate_pseudo_labels.py '
            'configs/wise/prm_efficientnet-lite0_small.py '
            'work_dirs/prm_efficientnet-lite0_small/iter_200.pth '
            f'--out {val_points} --cfg-options model.test_cfg.classes=predicted '
            'pseudo_label_dataloader.dataset.ann_file={val[ann_file]} '
            'pseudo_label_dataloader.dataset.data_prefix.img={val[img]}',
        ),
    ],
    produces='data/small/pseudo_labels/wise_prm.json',
)
del tags
