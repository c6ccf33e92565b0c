# SAM on a few hundred photographs, every stage in order; nothing but the final model is
# trained. Prompted with boxes, or with points or extreme points:
#   python tools/run_pipeline.py configs/sam/pipeline_small.py --dataset FILE
#   python tools/run_pipeline.py configs/sam/pipeline_small.py --data points --dataset FILE
_base_ = '../_base_/pipelines/small.py'

pipeline = dict(
    name='sam_{data}',
    title='SAM on {title}',
    data=dict(
        small=dict(
            title='a few hundred photographs',
            supervision='boxes',
            labeler='sam-vit-b_boxes_small.py',
            own_labels='sam',
            final_model='solov2_efficientnet-lite0_small.py',
        ),
        points=dict(
            title='a few hundred photographs, from points',
            dataset='small',
            supervision='points',
            labeler='sam-vit-b_points_small.py',
            own_labels='sam_points',
            final_model='solov2_efficientnet-lite0_small.py',
        ),
        extreme_points=dict(
            title='a few hundred photographs, from extreme points',
            dataset='small',
            supervision='extreme_points',
            labeler='sam-vit-b_extreme-points_small.py',
            own_labels='sam_extreme_points',
            final_model='solov2_efficientnet-lite0_small.py',
        ),
    ),
    common=dict(
        final_model=dict(
            config='mmwsis::sam/{final_model}',
            work_dir='work_dirs/{name}/sam/solov2_efficientnet-lite0_{data}',
            cfg_options={'train_dataloader.dataset.ann_file': '{out:pseudo_labels}'},
        ),
        final_test=dict(config='mmwsis::sam/{final_model}'),
    ),
    stages=[
        dict(name='weak_labels'),
        dict(
            name='pseudo_labels',
            type='generate',
            config='mmwsis::sam/{labeler}',
            has_weights=False,  # of a training here
            out='{data_root}/pseudo_labels/{own_labels}.json',
        ),
        dict(name='quality'),
        dict(name='final_model'),
        dict(name='final_test'),
        dict(name='full_supervision'),
        dict(name='full_test'),
        dict(name='report'),
    ],
)
