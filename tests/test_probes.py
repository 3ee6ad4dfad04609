"""prune, binarize, add_noise, flip_signs: any shape, any container, one rule for ties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import oracles
import pytest
import scipy.sparse
import scipy.stats
import strategies as my
from hypothesis import given

import bipnet

W = np.array([[1.5, -2.0, 3.0, 0.0], [0.0, 4.5, -5.0, 6.0], [-7.0, 8.0, 0.0, -9.5]])

shares = st.floats(0, 1) | st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])

PROBES: dict[str, Callable[[Any], Any]] = {
    "prune": lambda values: bipnet.prune(values, 0.4),
    "binarize": bipnet.binarize,
    "add_noise": lambda values: bipnet.add_noise(values, 0.5, rng=1),
    "flip_signs": lambda values: bipnet.flip_signs(values, 0.4),
}
each_probe = pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)


def same_bits(a: my.Matrix, b: my.Matrix) -> bool:
    """Same shape, dtype and bits (-0.0 is not 0.0)."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


# -- against the oracle ------------------------------------------------------------------------


@my.each_dtype
def test_prune__removes_what_the_oracle_removes(dtype: Any) -> None:
    @my.property_test
    @given(my.matrices(dtypes=(dtype,)), shares)
    def check(V: my.Matrix, share: float) -> None:
        before = V.copy()
        assert same_bits(bipnet.prune(V, share), oracles.prune(V, share))
        assert same_bits(V.copy(), before)

    check()


@my.each_dtype
def test_binarize__gives_what_the_oracle_gives(dtype: Any) -> None:
    @my.property_test
    @given(my.matrices(dtypes=(dtype,)))
    def check(V: my.Matrix) -> None:
        before = V.copy()
        R = bipnet.binarize(V)
        assert same_bits(R, oracles.binarize(V))
        assert same_bits(bipnet.binarize(R), R)
        assert same_bits(V.copy(), before)

    check()


@pytest.mark.parametrize(
    "dtype",
    [*my.FLOATS, *my.SIGNED_INTS],
    ids=[d.name for d in (*my.FLOATS, *my.SIGNED_INTS)],
)
def test_flip_signs__flips_what_the_oracle_flips(dtype: Any) -> None:
    @my.property_test
    @given(my.matrices(dtypes=(dtype,)), shares)
    def check(V: my.Matrix, share: float) -> None:
        lowest = None if dtype in my.FLOATS else np.iinfo(dtype).min
        if lowest is not None:
            V = np.where(lowest == V, 1, V).astype(V.dtype)  # it has no opposite: see below
        before = V.copy()
        R = bipnet.flip_signs(V, share)
        assert same_bits(R, oracles.flip_signs(V, share))
        assert same_bits(V.copy(), before)

    check()


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
@pytest.mark.parametrize("dtype", my.FLOATS, ids=[d.name for d in my.FLOATS])
def test_add_noise__touches_edges_alone(dtype: Any, distribution: Any) -> None:
    @my.property_test
    @given(my.matrices(dtypes=(dtype,)))
    def check(V: my.Matrix) -> None:
        V = np.clip(V.astype(np.float64), -1000, 1000).astype(V.dtype)
        before = V.copy()
        R = bipnet.add_noise(V, 10.0, rng=1, distribution=distribution)
        support = oracles.noise_support(V)
        assert R.dtype == V.dtype
        assert R[~support].tobytes() == V[~support].tobytes()
        assert V.tobytes() == before.tobytes()
        again = bipnet.add_noise(V, 10.0, rng=1, distribution=distribution)
        assert same_bits(R, again)

    check()


# -- shares, rounding, ties --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["prune", "flip_signs"])
def test_share__of_zero_changes_nothing_and_of_one_everything(name: str) -> None:
    probe = getattr(bipnet, name)
    nothing: list[Any] = [0, 0.0, np.int64(0), np.float32(0)]
    everything: list[Any] = [1, 1.0, np.int64(1)]
    for share in nothing:
        assert same_bits(probe(W, share), W)
    for share in everything:
        assert np.array_equal(probe(W, share), W * 0 if name == "prune" else -W)


@pytest.mark.parametrize(
    ("share", "n_edges", "n_removed"),
    [
        (0.5, 1, 0),  # 0.5 -> 0
        (0.5, 3, 2),  # 1.5 -> 2
        (0.5, 5, 2),  # 2.5 -> 2
        (0.5, 7, 4),  # 3.5 -> 4
        (0.25, 2, 0),
        (0.25, 6, 2),
        (0.25, 10, 2),
        (0.3, 5, 2),
        (0.1, 4, 0),
        (0.9, 4, 4),
        (0.999, 400, 400),
    ],
)
def test_share__halves_round_to_the_even_number(share: float, n_edges: int, n_removed: int) -> None:
    values = np.concatenate([np.arange(1.0, n_edges + 1), np.zeros(5)])  # zeros do not count
    assert int((bipnet.prune(values, share) == 0).sum()) - 5 == n_removed
    assert int((bipnet.flip_signs(values, share) < 0).sum()) == n_removed


def test_ties__are_broken_by_position() -> None:
    values = np.array([[2.0, -1.0, 1.0], [1.0, -1.0, 3.0]])
    assert bipnet.prune(values, 0.5).tolist() == [[2, 0, 0], [0, -1, 3]]
    assert bipnet.flip_signs(values, 0.5).tolist() == [[2, 1, -1], [-1, -1, 3]]
    # Row-major positions count, however the array lies in memory.
    assert bipnet.prune(np.asfortranarray(values), 0.5).tolist() == [[2, 0, 0], [0, -1, 3]]
    assert bipnet.prune(values.T, 0.5).tolist() == [[2, 0], [0, 0], [1, 3]]


def test_ties__of_many_equal_weights_fall_from_the_front() -> None:
    values = np.ones(1000, dtype=np.float32)
    assert np.nonzero(bipnet.prune(values, 0.25) == 0)[0].tolist() == list(range(250))


def test_prune__orders_integers_exactly() -> None:
    values = np.array([2**62 + 1, -(2**62), 2**62 + 2])  # equal as floats
    assert bipnet.prune(values, 0.34).tolist() == [2**62 + 1, 0, 2**62 + 2]
    assert bipnet.prune(np.array([-128, 127, -127], dtype=np.int8), 0.67).tolist() == [-128, 0, 0]
    large = np.array([2**64 - 1, 2**63, 5], dtype=np.uint64)
    assert bipnet.prune(large, 0.67).tolist() == [2**64 - 1, 0, 0]


def test_prune__takes_booleans() -> None:
    values = np.array([True, False, True, True])
    R = bipnet.prune(values, 0.34)
    assert R.dtype == np.bool_
    assert R.tolist() == [False, False, True, True]
    assert bipnet.binarize(values).tolist() == values.tolist()


@pytest.mark.parametrize("name", ["prune", "flip_signs"])
@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan, np.inf, "0.5", None, [0.5]], ids=repr)
def test_share__outside_zero_to_one_is_refused(name: str, share: Any) -> None:
    with pytest.raises(bipnet.InputError, match=r"must be a number from 0 to 1, got"):
        getattr(bipnet, name)(W, share)


# -- shapes and containers ---------------------------------------------------------------------


@each_probe
@pytest.mark.parametrize(
    "shape", [(), (0,), (5,), (1, 0), (2, 3, 4), (2, 1, 2, 1, 3)], ids=lambda shape: str(shape)
)
def test_probe__takes_arrays_of_any_shape(
    shape: tuple[int, ...], probe: Callable[[Any], Any]
) -> None:
    values = (np.arange(np.prod(shape, dtype=int), dtype=np.float32) - 2.5).reshape(shape)
    before = values.copy()
    R = probe(values)
    assert isinstance(R, np.ndarray)
    assert R.shape == shape
    assert R.dtype == np.float32
    assert np.array_equal(values, before)
    assert np.array_equal(R.reshape(-1), probe(values.reshape(-1)))


@each_probe
@pytest.mark.parametrize("order", my.ORDERS)
def test_probe__gives_every_memory_order_the_same(order: str, probe: Callable[[Any], Any]) -> None:
    V = my.arranged(W, order)
    R = probe(V)
    assert R.dtype == V.dtype
    assert R.flags.writeable
    assert np.array_equal(R, probe(W))
    assert np.array_equal(V, W)


@each_probe
def test_probe__takes_nested_lists(probe: Callable[[Any], Any]) -> None:
    assert np.array_equal(probe(W.tolist()), probe(W))
    assert isinstance(probe(W.tolist()), np.ndarray)


@each_probe
@pytest.mark.parametrize(
    "kind", ["csr_array", "csr_matrix", "csc_array", "coo_matrix", "lil_array"]
)
def test_probe__gives_sparse_formats_back_without_what_it_removed(
    kind: str, probe: Callable[[Any], Any]
) -> None:
    matrix = getattr(scipy.sparse, kind)(W)
    R = probe(matrix)
    assert type(R) is type(matrix)
    assert np.array_equal(R.toarray(), probe(W))
    assert R.nnz == np.count_nonzero(probe(W))
    assert np.array_equal(matrix.toarray(), W)


@each_probe
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "csr"])
def test_probe__gives_graphs_back(sparse: bool, probe: Callable[[Any], Any]) -> None:
    g = bipnet.SignedBipartiteGraph(scipy.sparse.csr_array(W) if sparse else W, left_labels="abc")
    R = probe(g)
    assert isinstance(R, bipnet.SignedBipartiteGraph)
    assert R.is_sparse == sparse
    assert R.left_labels == ("a", "b", "c")
    assert np.array_equal(R.to_array(), probe(W))
    assert R.n_edges == np.count_nonzero(probe(W))
    assert np.array_equal(g.to_array(), W)


@each_probe
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_probe__gives_tensors_back(dtype: str, probe: Callable[[Any], Any]) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(W.tolist(), dtype=getattr(torch, dtype))
    wanted = probe(W.astype(my.BFLOAT16 if dtype == "bfloat16" else dtype))
    for V in (tensor, tensor.t().contiguous().t(), torch.nn.Parameter(tensor)):
        R = probe(V)
        assert isinstance(R, torch.Tensor)
        assert R.dtype == tensor.dtype
        assert not R.requires_grad
        assert R.tolist() == wanted.tolist()
        assert V.tolist() == W.tolist()
    assert probe(tensor[0, 0]).shape == ()
    assert probe(tensor[:0]).shape == (0, 4)
    assert probe(tensor.reshape(2, 3, 2)).tolist() == wanted.reshape(2, 3, 2).tolist()


def test_probe__everything_pruned_leaves_an_empty_sparse_matrix() -> None:
    R = bipnet.prune(scipy.sparse.csr_array(W), 1.0)
    assert R.nnz == 0
    assert R.shape == (3, 4)
    g = bipnet.prune(bipnet.SignedBipartiteGraph(R), 0.5)
    assert g.n_edges == 0


@each_probe
@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_probe__refuses_weights_that_are_not_finite(
    weight: float, probe: Callable[[Any], Any]
) -> None:
    values = np.ones((2, 3, 4))
    values[1, 2, 3] = weight
    with pytest.raises(bipnet.InputError, match=rf"W\[1, 2, 3\] is {weight}"):
        probe(values)
    with pytest.raises(bipnet.InputError, match=rf"W\[\] is {weight}"):
        probe(np.array(weight))


@each_probe
@pytest.mark.parametrize(
    "values", [W.astype(complex), W.astype(object), "W", None, np.ma.masked_array(W)], ids=type
)
def test_probe__refuses_what_is_no_weight(values: Any, probe: Callable[[Any], Any]) -> None:
    with pytest.raises(bipnet.DTypeError, match=r"^W"):
        probe(values)


# -- flip_signs --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", my.UNSIGNED, ids=[d.name for d in my.UNSIGNED])
def test_flip_signs__refuses_dtypes_without_negative_values(dtype: Any) -> None:
    with pytest.raises(bipnet.DTypeError, match=f"{dtype.name}, which has no negative values"):
        bipnet.flip_signs(np.ones(3, dtype=dtype), 0.5)


@pytest.mark.parametrize("dtype", my.SIGNED_INTS, ids=[d.name for d in my.SIGNED_INTS])
def test_flip_signs__refuses_the_integer_that_has_no_opposite(dtype: Any) -> None:
    lowest = np.iinfo(dtype).min
    values = np.array([1, lowest], dtype=dtype)
    assert bipnet.flip_signs(values, 0.5).tolist() == [-1, lowest]
    with pytest.raises(bipnet.InputError, match=f"{lowest} has no opposite in {dtype.name}"):
        bipnet.flip_signs(values, 1.0)


@my.property_test
@given(my.matrices(dtypes=my.FLOATS), shares)
def test_flip_signs__twice_gives_the_original(V: my.Matrix, share: float) -> None:
    once = bipnet.flip_signs(V, share)
    assert same_bits(bipnet.flip_signs(once, share), np.array(V))
    assert same_bits(abs(once), abs(np.array(V)))


# -- add_noise ---------------------------------------------------------------------------------


def noise_of(values: my.Matrix, scale: float = 0.5, **options: Any) -> my.Matrix:
    """What was added."""
    difference: my.Matrix = bipnet.add_noise(values, scale, **{"rng": 7, **options}) - values
    return difference


def test_add_noise__identity_of_a_draw() -> None:
    values = np.ones(50)
    options: list[dict[str, Any]] = [
        {},
        {"rng": 8},
        {"index": 1},
        {"name": "layer"},
        {"distribution": "normal"},
        {"rng": np.random.default_rng(7)},
    ]
    draws = {bipnet.add_noise(values, 0.5, **{"rng": 7, **o}).tobytes() for o in options}
    assert len(draws) == len(options)
    assert np.array_equal(noise_of(values), noise_of(values, rng=np.random.SeedSequence(7)))
    assert not np.array_equal(noise_of(values, rng=None), noise_of(values, rng=None))


def test_add_noise__is_the_same_for_dense_and_csr() -> None:
    dense = bipnet.add_noise(W, 0.5, rng=7)
    assert np.array_equal(bipnet.add_noise(scipy.sparse.csr_array(W), 0.5, rng=7).toarray(), dense)
    edges = W[W != 0]  # and depends on the number of the edge alone
    assert np.array_equal(bipnet.add_noise(edges, 0.5, rng=7), dense[W != 0])


def test_add_noise__is_the_same_for_every_float_dtype_up_to_rounding() -> None:
    wanted = bipnet.add_noise(W, 0.5, rng=7)
    for dtype in my.FLOATS:
        R = bipnet.add_noise(W.astype(dtype), 0.5, rng=7)
        assert R.dtype == dtype
        assert np.array_equal(R, wanted.astype(dtype))  # W is exact in every width


def test_add_noise__follows_its_distribution() -> None:
    # One Kolmogorov-Smirnov test each, false alarm 1e-4, fixed seed.
    values = np.full(20_000, 3.0)
    uniform = noise_of(values, 0.5)
    assert abs(uniform).max() <= 0.5
    assert scipy.stats.kstest(uniform, scipy.stats.uniform(-0.5, 1).cdf).pvalue > 1e-4
    normal = noise_of(values, 0.5, distribution="normal")
    assert abs(normal).max() > 1
    assert scipy.stats.kstest(normal, scipy.stats.norm(0, 0.5).cdf).pvalue > 1e-4
    assert scipy.stats.kstest(normal, scipy.stats.uniform(-0.5, 1).cdf).pvalue < 1e-4


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_add_noise__of_scale_zero_changes_nothing(distribution: Any) -> None:
    scales: list[Any] = [0, 0.0, np.float32(0)]
    for scale in scales:
        assert same_bits(bipnet.add_noise(W, scale, rng=1, distribution=distribution), W)


@pytest.mark.parametrize(
    ("dtype", "weight", "scale"),
    [
        ("float16", 65504, 100.0),
        ("float16", 1, 1e6),
        ("bfloat16", 3e38, 1e38),
        ("float32", 3e38, 1e38),
        ("float64", 1.7e308, 8e307),
        ("float64", 1.7e308, 1e308),  # wider than NumPy draws
        ("float64", 1.7e308, 1.7e308),
    ],
)
@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_add_noise__says_where_the_dtype_is_too_narrow(
    dtype: str, weight: float, scale: float, distribution: Any
) -> None:
    values = np.full(64, weight).astype(my.BFLOAT16 if dtype == "bfloat16" else dtype)
    with pytest.raises(bipnet.InputError, match=f"overflows {dtype}; use a wider dtype"):
        bipnet.add_noise(values, scale, rng=1, distribution=distribution)


def test_add_noise__takes_any_scale_whose_noise_fits() -> None:
    R = bipnet.add_noise(np.ones(64), 1.7e308, rng=1)
    assert np.isfinite(R).all()
    assert abs(R).max() > 1e308


@pytest.mark.parametrize("dtype", [*my.SIGNED_INTS, *my.UNSIGNED], ids=str)
def test_add_noise__refuses_weights_that_cannot_carry_it(dtype: Any) -> None:
    with pytest.raises(bipnet.DTypeError, match=f"{dtype.name}; noise needs floats"):
        bipnet.add_noise(np.ones(3, dtype=dtype), 0.1)


@pytest.mark.parametrize(
    "scale", [-0.1, np.nan, np.inf, "0.1", None, [0.1], pytest.param(10**400, id="10**400")]
)
def test_add_noise__refuses_a_scale_that_is_none(scale: Any) -> None:
    with pytest.raises(bipnet.InputError, match="scale must be a finite number >= 0"):
        bipnet.add_noise(W, scale)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distribution": "cauchy"}, "'uniform' or 'normal', got 'cauchy'"),
        ({"distribution": None}, "'uniform' or 'normal'"),
        ({"rng": -1}, "non-negative"),
        ({"rng": "7"}, "rng must be"),
        ({"index": -1}, "index must be a non-negative integer"),
        ({"index": 1.5}, "index must be a non-negative integer"),
        ({"index": True}, "index must be a non-negative integer"),
    ],
    ids=str,
)
def test_add_noise__refuses_what_randomize_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(bipnet.InputError, match=message):
        bipnet.add_noise(W, 0.1, **options)


@pytest.mark.parametrize("flag", [True, False, np.True_])
@pytest.mark.parametrize("probe", [bipnet.prune, bipnet.add_noise, bipnet.flip_signs])
def test_probe__takes_no_bool_for_a_number(probe: Callable[..., Any], flag: Any) -> None:
    with pytest.raises(bipnet.InputError, match=r"must be a .*number.* got .*(True|False)"):
        probe(W, flag)
