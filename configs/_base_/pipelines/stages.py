# Stages that the pipelines share, by name. A pipeline file lists them in its order and
# writes its method's own stages beside them; `dict(_base_.quality, pseudo=...)` changes
# or adds keys. The files beside this one say which final model a dataset has.


def weak_labels(level):
    ann_file = '{data_root}/{train.ann_file}'
    weak = f'{{data_root}}/{{train.weak.{level}}}'
    return dict(
        name='weak_labels',
        type='command',
        only_with=['train.ann_file'],
        command=[
            'tools/dataset_converters/coco2weak.py',
            ann_file,
            *('--level', level, '--out', weak, '--overwrite'),
        ],
        inputs=[ann_file],
        outputs=[weak],
    )


weak_image_tags = weak_labels('image_tags')
weak_boxes = weak_labels('boxes')
weak_extreme_points = weak_labels('extreme_points')

# The pipeline adds `pseudo`: the masks that its method made.
quality = dict(
    name='quality',
    type='quality',
    only_with=['train.ann_file'],
    gt='{data_root}/{train.ann_file}',
    img_dir='{data_root}/{train.img}',
)

# The dataset adds `config`; it is sought beside the pipeline file.
final_model = dict(name='final_model', type='train')
final_test = dict(name='final_test', type='test', only_with=['val.ann_file'])
full_supervision = dict(
    name='full_supervision', type='train', only_with=['train.ann_file']
)
full_test = dict(
    name='full_test', type='test', only_with=['train.ann_file', 'val.ann_file']
)

report = dict(
    name='report', type='report', weak='final_test', full='full_test', quality='quality'
)
