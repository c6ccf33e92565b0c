# A few hundred photographs: the dataset that `--dataset FILE` replaces.
_base_ = './fast.py'

pipeline = dict(dataset='mmwsis::data_specs/small.py')
