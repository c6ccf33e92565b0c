_base_ = ['./relation_pairs.py', '../stored_class_maps/coco.py']

relation_labels = 'data/coco/relation_labels/irnet'
train_dataloader = dict(
    dataset=dict(
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.image_tags,
        data_prefix=dict(img=_base_.data_spec.train.img),
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            dict(type='mmwsis.LoadSemanticMap', folder=relation_labels),
            dict(type='mmwsis.RandomRescale', scale=(0.5, 1.5)),
            dict(type='mmdet.RandomFlip', prob=0.5),
            dict(type='mmwsis.RandomCropOrPad', crop_size=512, seg_pad_value=255),
            dict(type='mmwsis.PackWeakInputs'),
        ],
    )
)
pseudo_label_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            dict(type='mmwsis.LoadClassMaps', folder=_base_.class_maps, names=('cam',)),
            dict(type='mmwsis.PackWeakInputs'),
        ],
    )
)
