# SAM on a few hundred photographs, every stage in order; nothing but the final model is
# trained:
#   python tools/run_pipeline.py configs/sam/pipeline_small.py --dataset FILE
_base_ = '../_base_/pipelines/small.py'

pipeline = dict(
    name='sam_{data}',
    title='SAM on {title}',
    supervision='boxes',
    data=dict(
        small=dict(
            title='a few hundred photographs',
            final_model='solov2_efficientnet-lite0_small.py',
        ),
    ),
    stages=[
        dict(name='weak_labels'),
        dict(
            name='pseudo_labels',
            type='generate',
            config='mmwsis::sam/sam-vit-b_boxes_{data}.py',
            has_weights=False,  # of a training here
            out='{data_root}/pseudo_labels/sam.json',
        ),
        dict(name='quality'),
        dict(name='final_model', config='mmwsis::sam/{final_model}'),
        dict(name='final_test', config='mmwsis::sam/{final_model}'),
        dict(name='full_supervision'),
        dict(name='full_test'),
        dict(name='report'),
    ],
)
