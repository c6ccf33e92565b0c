# Loader of whole images with their class maps, for models without weights.
pseudo_label_dataloader = dict(
    batch_size=1,
    num_workers=4,
    dataset=dict(
        type='mmwsis.CocoWeakDataset',
        supervision='image_tags',
        filter_cfg=None,
        test_mode=True,
    ),
)
