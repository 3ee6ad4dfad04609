"""bipnet.experiments.ssim against scikit-image, pair by pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from bipnet._streams import resolve_seed
from bipnet.errors import InputError
from bipnet.experiments import ssim
from bipnet.experiments.datasets import ImageDataset, load_dataset
from bipnet.experiments.ssim import (
    RankedPair,
    class_distances,
    easiest_and_hardest,
    rank_pairs,
    structural_similarities,
)

TOLERANCE = 1e-10


def oracle(
    first: np.ndarray[Any, Any], second: np.ndarray[Any, Any], data_range: float
) -> list[float]:
    """scikit-image, one pair at a time, in double precision."""
    return [
        structural_similarity(a.astype(float), b.astype(float), data_range=data_range)
        for a, b in zip(first, second, strict=True)
    ]


def small(**changes: Any) -> ImageDataset:
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1, 2], [5, 2, 9])
    images = rng.integers(0, 256, (16, 9, 8)).astype(np.uint8)
    fields: dict[str, Any] = {
        "name": "small",
        "class_names": ("a", "b", "c"),
        "train_images": images,
        "train_labels": labels,
        "test_images": images,
        "test_labels": labels,
        "value_range": (0, 255),
    }
    return ImageDataset(**{**fields, **changes})


# --- SSIM itself


@pytest.mark.parametrize("shape", [(28, 28), (7, 7), (8, 8), (7, 31), (40, 9)])
@pytest.mark.parametrize("kind", ["uint8", "float64", "float32"])
def test_similarity__is_scikit_images(shape: tuple[int, int], kind: str) -> None:
    rng = np.random.default_rng(11)
    first = rng.uniform(0, 255, (9, *shape)).astype(kind)
    noisy = first + rng.normal(0, 20, first.shape)
    second = np.clip(noisy, 0, 255).astype(kind)
    got = structural_similarities(first, second, data_range=255)
    np.testing.assert_allclose(got, oracle(first, second, 255), atol=TOLERANCE, rtol=0)


def test_similarity__is_scikit_images_on_negative_values() -> None:
    first, second = np.random.default_rng(12).uniform(-1, 1, (2, 20, 12, 13))
    got = structural_similarities(first, second, data_range=2.0)
    np.testing.assert_allclose(got, oracle(first, second, 2.0), atol=TOLERANCE, rtol=0)


def test_similarity__is_scikit_images_on_digits_and_flat_images() -> None:
    digits = load_dataset("digits").train_images[:40]
    flat = np.zeros_like(digits)
    flat[::2] = 16
    for second in (digits[::-1], flat, digits):
        got = structural_similarities(digits, second, data_range=16)
        np.testing.assert_allclose(got, oracle(digits, second, 16), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("n", [0, 1, ssim._BATCH - 1, ssim._BATCH, 2 * ssim._BATCH + 1])
def test_similarity__does_not_depend_on_the_batch(n: int) -> None:
    rng = np.random.default_rng(13)
    first, second = rng.integers(0, 256, (2, n, 10, 11)).astype(np.uint8)
    alone = [
        structural_similarities(first[i : i + 1], second[i : i + 1], data_range=255)[0]
        for i in range(n)
    ]
    got = structural_similarities(first, second, data_range=255)
    np.testing.assert_array_equal(got, np.array(alone))


def test_similarity__of_an_image_with_itself_is_1_and_order_is_free() -> None:
    first, second = np.random.default_rng(14).uniform(0, 1, (2, 6, 15, 15))
    kept = first.copy()
    same = structural_similarities(first, first, data_range=1.0)
    np.testing.assert_allclose(same, 1, atol=TOLERANCE, rtol=0)
    np.testing.assert_array_equal(
        structural_similarities(first, second, data_range=1.0),
        structural_similarities(second, first, data_range=1.0),
    )
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(
    ("first", "second", "data_range", "message"),
    [
        (np.zeros((2, 8, 8)), np.zeros((3, 8, 8)), 1, r"\(2, 8, 8\) and \(3, 8, 8\)"),
        (np.zeros((8, 8)), np.zeros((8, 8)), 1, "stacks of images"),
        (np.zeros((2, 8, 6)), np.zeros((2, 8, 6)), 1, "at least 7 x 7 .* got 8 x 6"),
        (np.zeros((2, 8, 8)), np.zeros((2, 8, 8)), 0, "above 0, got 0"),
        (np.zeros((2, 8, 8)), np.zeros((2, 8, 8)), np.nan, "above 0, got nan"),
    ],
)
def test_similarity__refuses(first: Any, second: Any, data_range: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        structural_similarities(first, second, data_range=data_range)


# --- class distances


@pytest.mark.parametrize("scaled", [False, True], ids=["stored", "scaled"])
def test_distances__are_the_mean_over_the_pairs_of_their_stream(scaled: bool) -> None:
    dataset, n_pairs = small(), 23
    got = class_distances(dataset, n_pairs=n_pairs, rng=7, scaled=scaled)
    images = dataset.scaled(dataset.train_images) if scaled else dataset.train_images
    want = np.empty((3, 3))
    for a in range(3):
        for b in range(a, 3):
            of_a, of_b = (images[dataset.train_labels == label] for label in (a, b))
            generator = resolve_seed(7).generator("ssim", name=f"{a},{b}")
            left = generator.integers(len(of_a), size=n_pairs)
            right = generator.integers(len(of_b) - (a == b), size=n_pairs)
            if a == b:
                right = np.where(right < left, right, right + 1)
            similarity = oracle(of_a[left], of_b[right], 2.0 if scaled else 255.0)
            want[a, b] = want[b, a] = np.mean(1 - np.array(similarity))
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, want, atol=TOLERANCE, rtol=0)


def test_distances__within_a_class_compare_different_images() -> None:
    rng = np.random.default_rng(15)
    images = rng.integers(0, 256, (4, 8, 8)).astype(np.uint8)
    dataset = small(
        class_names=("a", "b"),
        train_images=images,
        train_labels=np.array([0, 1, 1, 0]),
        test_images=images,
        test_labels=np.array([0, 1, 1, 0]),
    )
    got = class_distances(dataset, n_pairs=50, rng=1, scaled=False)
    # Two images in a class: every draw is the same unordered pair.
    expected = 1 - np.array(oracle(images[[0, 1]], images[[3, 2]], 255))
    np.testing.assert_allclose(np.diag(got), expected, atol=TOLERANCE, rtol=0)


def test_distances__depend_on_the_seed_alone() -> None:
    dataset = small()
    first = class_distances(dataset, n_pairs=40, rng=7)
    np.testing.assert_array_equal(first, first.T)
    np.testing.assert_array_equal(first, class_distances(dataset, n_pairs=40, rng=7))
    other = class_distances(dataset, n_pairs=40, rng=8)
    assert (first != other)[np.triu_indices(3, k=1)].all()


def test_distances__of_two_classes_do_not_depend_on_the_others() -> None:
    dataset = small()
    two = dataset.train_labels < 2
    fewer = small(
        class_names=("a", "b"),
        train_images=dataset.train_images[two],
        train_labels=dataset.train_labels[two],
        test_images=dataset.train_images[two],
        test_labels=dataset.train_labels[two],
    )
    whole = class_distances(dataset, n_pairs=30, rng=7)
    np.testing.assert_array_equal(class_distances(fewer, n_pairs=30, rng=7), whole[:2, :2])


def test_distances__do_not_depend_on_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    want = class_distances(small(), n_pairs=100, rng=7)
    monkeypatch.setattr(ssim, "_BLOCK", 33)
    monkeypatch.setattr(ssim, "_BATCH", 7)
    np.testing.assert_array_equal(class_distances(small(), n_pairs=100, rng=7), want)


def test_distances__report_progress() -> None:
    steps: list[int] = []
    class_distances(small(), n_pairs=1, rng=7, progress=steps.append)
    assert steps == [1] * 6


@pytest.mark.parametrize("n_pairs", [0, -1, 2.5, True, None])
def test_distances__refuse_other_numbers_of_pairs(n_pairs: Any) -> None:
    with pytest.raises(InputError, match="n_pairs must be an integer >= 1"):
        class_distances(small(), n_pairs=n_pairs)


def test_distances__refuse_a_class_with_one_image_and_small_images() -> None:
    labels = np.repeat([0, 1, 2], [5, 1, 10])
    with pytest.raises(InputError, match="small has 1 training images of b; at least two"):
        class_distances(small(train_labels=labels))
    images = np.zeros((16, 6, 8), np.uint8)
    with pytest.raises(InputError, match="at least 7 x 7"):
        class_distances(small(train_images=images, test_images=images))


# --- ranks


def test_ranks__start_at_the_largest_and_break_ties_by_class_order() -> None:
    distances = np.array(
        [
            [0.9, 0.5, 0.7, 0.5],
            [0.5, 0.9, 0.5, 0.1],
            [0.7, 0.5, 0.9, 0.5],
            [0.5, 0.1, 0.5, np.nan],  # the diagonal does not matter
        ]
    )
    ranked = rank_pairs(distances, "abcd")
    assert ranked == [
        RankedPair(1, "a", "c", 0.7),
        RankedPair(2, "a", "b", 0.5),
        RankedPair(3, "a", "d", 0.5),
        RankedPair(4, "b", "c", 0.5),
        RankedPair(5, "c", "d", 0.5),
        RankedPair(6, "b", "d", 0.1),
    ]
    assert easiest_and_hardest(ranked) == (ranked[0], ranked[-1])
    assert easiest_and_hardest(ranked[::-1]) == (ranked[0], ranked[-1])


@pytest.mark.parametrize(
    ("distances", "message"),
    [
        (np.zeros((2, 3)), r"each of the 2 class names, got shape \(2, 3\)"),
        (np.zeros((3, 3)), r"got shape \(3, 3\)"),
        (np.array([[0, 1], [2, 0]]), r"\[0, 1\] is 1\.0 and \[1, 0\] is 2\.0"),
        (np.array([[0, np.nan], [np.nan, 0]]), r"\[0, 1\] is nan"),
    ],
)
def test_ranks__refuse(distances: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rank_pairs(distances, ["a", "b"])


def test_ranks__of_nothing_have_no_ends() -> None:
    with pytest.raises(InputError, match="no pair to choose from"):
        easiest_and_hardest([])
