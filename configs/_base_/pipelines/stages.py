# Stages that the pipelines share, by name. A pipeline file lists them in its order, with
# its method's own; `dict(name='quality', pseudo=...)` adds to what stands here.
pipeline = dict(
    common=dict(
        weak_labels=dict(
            type='command',
            only_with=['train.ann_file'],
            command=[
                'tools/dataset_converters/coco2weak.py',
                '{data_root}/{train.ann_file}',
                *('--level', '{supervision}'),
                *('--out', '{data_root}/{train.weak.{supervision}}', '--overwrite'),
                # Masks may be there to measure with, beside clicks of people.
                '--keep-handmade',
            ],
            inputs=['{data_root}/{train.ann_file}'],
            outputs=['{data_root}/{train.weak.{supervision}}'],
        ),
        quality=dict(
            type='quality',
            only_with=['train.ann_file'],
            pseudo='{out:pseudo_labels}',
            gt='{data_root}/{train.ann_file}',
            img_dir='{data_root}/{train.img}',
        ),
        # The method's own, and the same model on the dataset's masks.
        final_model=dict(type='train', config='{final_model}'),
        final_test=dict(
            type='test', config='{final_model}', only_with=['val.ann_file']
        ),
        full_supervision=dict(
            type='train',
            config='../final_models/{final_model}',
            only_with=['train.ann_file'],
        ),
        full_test=dict(
            type='test',
            config='../final_models/{final_model}',
            only_with=['train.ann_file', 'val.ann_file'],
        ),
        report=dict(
            type='report', weak='final_test', full='full_test', quality='quality'
        ),
    ),
)
