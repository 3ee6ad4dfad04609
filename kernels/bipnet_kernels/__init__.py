"""Randomisation kernels: arrays in, arrays filled. They check nothing and know no graph.

Weights are moved as unsigned words (see `segments` and `buckets`), signs as bits (see `signs` and
`trade`); the caller checks input, makes all memory and names the random streams.
"""

from bipnet_kernels._interrupt import no_compiling as no_compiling
from bipnet_kernels._jit import cache_folder as cache_folder
from bipnet_kernels._square import SIDE as SIDE
from bipnet_kernels._stream import new_picks as new_picks
from bipnet_kernels._stream import new_stream as new_stream
from bipnet_kernels.bit_loops import bit_loop_streams as bit_loop_streams
from bipnet_kernels.bit_loops import random_bit as random_bit
from bipnet_kernels.buckets import CHUNK as CHUNK
from bipnet_kernels.buckets import MOST_LABEL_BITS as MOST_LABEL_BITS
from bipnet_kernels.buckets import count_labels as count_labels
from bipnet_kernels.buckets import deal as deal
from bipnet_kernels.buckets import gather as gather
from bipnet_kernels.buckets import hand_out as hand_out
from bipnet_kernels.buckets import shuffle_buckets as shuffle_buckets
from bipnet_kernels.columns import read_columns as read_columns
from bipnet_kernels.columns import sort_by_column as sort_by_column
from bipnet_kernels.columns import write_columns as write_columns
from bipnet_kernels.index import index_edges as index_edges
from bipnet_kernels.index import index_rows as index_rows
from bipnet_kernels.loops import LOOPS_PER_STREAM as LOOPS_PER_STREAM
from bipnet_kernels.loops import list_ends as list_ends
from bipnet_kernels.loops import loop_streams as loop_streams
from bipnet_kernels.magnitudes import widen_range as widen_range
from bipnet_kernels.segments import new_scratch as new_scratch
from bipnet_kernels.segments import permute_segments as permute_segments
from bipnet_kernels.signs import collect_bits as collect_bits
from bipnet_kernels.signs import list_edges as list_edges
from bipnet_kernels.signs import pack_flags as pack_flags
from bipnet_kernels.signs import pack_rows as pack_rows
from bipnet_kernels.signs import scatter_bits as scatter_bits
from bipnet_kernels.signs import transpose_bits as transpose_bits
from bipnet_kernels.swap import ATTEMPTS_PER_STREAM as ATTEMPTS_PER_STREAM
from bipnet_kernels.swap import SWAP_SCRATCH as SWAP_SCRATCH
from bipnet_kernels.swap import swap_attempts as swap_attempts
from bipnet_kernels.trade import common_bits as common_bits
from bipnet_kernels.trade import draw_subset as draw_subset
from bipnet_kernels.trade import pair_lines as pair_lines
from bipnet_kernels.trade import pairs_per_block as pairs_per_block
from bipnet_kernels.trade import trade_block as trade_block
from bipnet_kernels.trade import trade_rounds as trade_rounds
from bipnet_kernels.transpose import transpose_block as transpose_block
