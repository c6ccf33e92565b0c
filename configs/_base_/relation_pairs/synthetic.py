# Images of 128 pixels, enlarged: the network's cells of four pixels are coarse for objects
# of forty.
_base_ = ['./relation_pairs.py', '../stored_class_maps/synthetic.py']

relation_labels = 'data/synthetic/relation_labels/irnet'
train_dataloader = dict(
    num_workers=1,
    sampler=dict(_delete_=True, type='mmwsis.SeededInfiniteSampler', shuffle=True),
    batch_size=8,
    dataset=dict(
        metainfo=dict(classes=_base_.data_spec.classes),
        data_root=_base_.data_spec.data_root,
        ann_file=_base_.data_spec.train.weak.image_tags,
        data_prefix=dict(img=_base_.data_spec.train.img),
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            dict(type='mmwsis.LoadSemanticMap', folder=relation_labels),
            dict(type='mmwsis.RandomRescale', scale=(1.5, 2.5)),
            dict(type='mmdet.RandomFlip', prob=0.5),
            dict(type='mmwsis.RandomCropOrPad', crop_size=256, seg_pad_value=255),
            dict(type='mmwsis.PackWeakInputs'),
        ],
    ),
)
pseudo_label_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            dict(type='mmwsis.LoadClassMaps', folder=_base_.class_maps, names=('cam',)),
            dict(type='mmwsis.RandomRescale', scale=(2.0, 2.0)),
            dict(type='mmwsis.PackWeakInputs'),
        ],
    )
)
