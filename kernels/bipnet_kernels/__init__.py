"""Randomisation kernels: arrays in, arrays filled. They check nothing and know no graph.

Weights are moved as unsigned words (see `permute`), signs as bits (see `trade`); the caller
checks input, makes the working copy and names the random streams.
"""

from bipnet_kernels._jit import cache_folder as cache_folder
from bipnet_kernels.index import index_edges as index_edges
from bipnet_kernels.index import index_rows as index_rows
from bipnet_kernels.loops import LOOPS_PER_STREAM as LOOPS_PER_STREAM
from bipnet_kernels.loops import loop_streams as loop_streams
from bipnet_kernels.loops import orient as orient
from bipnet_kernels.permute import permute_segments as permute_segments
from bipnet_kernels.permute import spread_by_sign as spread_by_sign
from bipnet_kernels.swap import ATTEMPTS_PER_STREAM as ATTEMPTS_PER_STREAM
from bipnet_kernels.swap import NO_EDGE as NO_EDGE
from bipnet_kernels.swap import swap_attempts as swap_attempts
from bipnet_kernels.trade import draw_subset as draw_subset
from bipnet_kernels.trade import first_tradable_pair as first_tradable_pair
from bipnet_kernels.trade import trade_rounds as trade_rounds
from bipnet_kernels.transpose import transpose_block as transpose_block
