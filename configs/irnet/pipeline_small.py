# IRNet on a few hundred photographs, without a GPU, every stage in order:
#   python tools/run_pipeline.py configs/irnet/pipeline_small.py --dataset FILE
_base_ = ['../_base_/pipelines/small.py', '../_base_/pipelines/irnet_stages.py']

pipeline = dict(
    name='irnet_{data}',
    title='IRNet on {title}',
    supervision='image_tags',
    data=dict(
        small=dict(
            title='a few hundred photographs',
            backbone='efficientnet-lite0',
            # SOLOv2, as for the other methods, so that all share one fully-supervised
            # baseline; Mask R-CNN, the paper's, has a config, too.
            final_model='solov2_efficientnet-lite0_small.py',
        ),
    ),
    stages=_base_.stages,
    # A classifier of two iterations is at chance.
    fast=dict(class_maps=dict(args=['--force'])),
)
