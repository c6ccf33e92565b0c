# The same from the most interior pixel of each mask, as on COCO, in place of clicks.
_base_ = './wise_r50_voc.py'

points = 'weak/interior_points_train.json'
train_dataloader = dict(dataset=dict(ann_file=points))
pseudo_label_dataloader = dict(dataset=dict(ann_file=points))

wsis = dict(
    requires=[
        *_base_.wsis.requires,
        dict(
            path=f'{_base_.data_spec.data_root}/{points}',
            command='python tools/dataset_converters/coco2weak.py '
            f'{_base_.data_spec.data_root}/{_base_.data_spec.train.ann_file} '
            f'--level points --out {_base_.data_spec.data_root}/{points}',
        ),
    ],
    produces='data/voc/pseudo_labels/wise_dt-points.json',
)
