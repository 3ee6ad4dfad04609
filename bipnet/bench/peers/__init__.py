"""One file per peer; `PEERS` lists them in the order of the tables."""

from __future__ import annotations

from bipnet.bench.peer import Peer
from bipnet.bench.peers.author_lists import AuthorLists
from bipnet.bench.peers.bipnet_calls import BipnetCSR, BipnetDense, BipnetSwap
from bipnet.bench.peers.biwes_moves import BiWESMoves
from bipnet.bench.peers.graph_tool_rewire import GraphToolRewire
from bipnet.bench.peers.igraph_rewire import IgraphRewire
from bipnet.bench.peers.networkit_chains import Curveball, EdgeSwitching, GlobalCurveball
from bipnet.bench.peers.networkx_swap import NetworkXSwap
from bipnet.bench.peers.numpy_permutation import MemoryCopy, NumPyPermutation
from bipnet.bench.peers.pybirewirex_switching import PyBiRewireXSwitching

PEERS: dict[str, type[Peer]] = {
    peer.name: peer
    for peer in (
        MemoryCopy,
        BipnetDense,
        BipnetCSR,
        BipnetSwap,
        NumPyPermutation,
        GlobalCurveball,
        Curveball,
        EdgeSwitching,
        IgraphRewire,
        GraphToolRewire,
        PyBiRewireXSwitching,
        NetworkXSwap,
        BiWESMoves,
        AuthorLists,
    )
}
OURS = ("bipnet", "bipnet CSR", "bipnet swap")
