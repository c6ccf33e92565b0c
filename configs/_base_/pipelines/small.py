# A few hundred photographs: the dataset that `--dataset FILE` replaces.
_base_ = './stages.py'

pipeline = dict(dataset='../data_specs/small.py')
