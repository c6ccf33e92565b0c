"""One tiny valid call of everything public: the table that the contract is tried on."""

import embedding_op_cases
import instance_op_cases
import module_cases
import op_cases
import panoptic_network_cases
import proposal_op_cases

CASES = (
    op_cases.CASES
    | instance_op_cases.CASES
    | proposal_op_cases.CASES
    | embedding_op_cases.CASES
    | module_cases.CASES
    | panoptic_network_cases.CASES
)
