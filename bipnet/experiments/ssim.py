"""How unlike the classes of a data set look: the structural similarity of random image pairs.

The paper picks its easy and its hard task by this distance (section 3, Figure 6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bipnet._streams import RNGLike, Seed, resolve_seed
from bipnet.errors import InputError
from bipnet.experiments.datasets import ImageDataset, Images

WINDOW = 7
"""Side of the square window, scikit-image's default."""

_K1, _K2 = 0.01, 0.03
_BATCH = 64  # image pairs worked on together: what is between in and out stays in cache
_BLOCK = 16 * _BATCH  # image pairs gathered at once


@dataclass(frozen=True)
class RankedPair:
    """Two classes and how far apart they are; rank 1 is the largest distance."""

    rank: int
    first: str
    second: str
    distance: float


def class_distances(
    dataset: ImageDataset,
    *,
    n_pairs: int = 10_000,
    rng: RNGLike | Seed = None,
    scaled: bool = True,
    progress: Callable[[int], object] | None = None,
) -> npt.NDArray[np.float64]:
    """Mean of 1 - SSIM over random image pairs, for every two classes and each with itself.

    Parameters
    ----------
    dataset
        Its training images are used.
    n_pairs
        Image pairs drawn for each pair of classes, with replacement. Within a class the two
        images of a pair are different ones.
    rng
        Every pair of classes has a random stream of its own, so a distance depends on the seed
        and on these two classes (images, and place in class_names) alone.
    scaled
        True compares images as networks get them, scaled to [-1, 1]; False as they are stored
        (value_range is SSIM's data range). SSIM is not the same for both: it takes black for a
        value of -1 in the one and for the absence of light in the other.
    progress
        Called with 1 after each pair of classes, n (n + 1) / 2 times for n classes.

    Returns
    -------
    Symmetric (n_classes, n_classes) matrix in the order of ``dataset.class_names``.

    Raises
    ------
    InputError
        n_pairs below 1, images smaller than the window, a class with fewer than two images.

    Notes
    -----
    Paper, Figure 6: 10 000 pairs, scikit-image's default window of 7 x 7. The paper does not say
    which scale it used. That 0-7 comes right after 0-1 on MNIST is so with ``scaled=True``,
    hence the default; as stored, 0-4 lies between them.
    """
    if isinstance(n_pairs, bool) or not isinstance(n_pairs, (int, np.integer)) or n_pairs < 1:
        raise InputError(f"n_pairs must be an integer >= 1, got {n_pairs!r}")
    seed = resolve_seed(rng)
    lowest, highest = dataset.value_range
    data_range = 2.0 if scaled else highest - lowest
    names = dataset.class_names
    members = [np.nonzero(dataset.train_labels == label)[0] for label in range(len(names))]
    for name, of_class in zip(names, members, strict=True):
        if len(of_class) < 2:
            raise InputError(
                f"{dataset.name} has {len(of_class)} training images of {name}; at least two are"
                " needed to compare the class with itself"
            )
    pairs = [(a, b) for a in range(len(names)) for b in range(a, len(names))]
    distances = np.empty((len(names), len(names)))
    for a, b in pairs:
        generator = seed.generator("ssim", name=f"{a},{b}")
        left = generator.integers(len(members[a]), size=n_pairs)
        if a == b:
            right = generator.integers(len(members[a]) - 1, size=n_pairs)
            right += right >= left
        else:
            right = generator.integers(len(members[b]), size=n_pairs)
        similarity = np.empty(n_pairs)
        for start in range(0, n_pairs, _BLOCK):
            block = slice(start, start + _BLOCK)
            first = dataset.train_images[members[a][left[block]]]
            second = dataset.train_images[members[b][right[block]]]
            if scaled:
                first, second = dataset.scaled(first), dataset.scaled(second)
            similarity[block] = structural_similarities(first, second, data_range=data_range)
        distances[a, b] = distances[b, a] = np.mean(1 - similarity)
        if progress is not None:
            progress(1)
    return distances


def structural_similarities(
    first: Images, second: Images, *, data_range: float
) -> npt.NDArray[np.float64]:
    """SSIM of first[i] and second[i] for every i, in double precision.

    Parameters
    ----------
    first, second
        Two stacks of images, (n, height, width).
    data_range
        The highest value images can have minus the lowest.

    Raises
    ------
    InputError
        Stacks of different shapes, images smaller than the window, a data_range not above 0.

    Notes
    -----
    What ``skimage.metrics.structural_similarity`` gives for each pair of float64 or integer
    images with its default settings: uniform 7 x 7 window, sample covariance, and the mean over
    the windows that lie inside the image.
    """
    if first.shape != second.shape or first.ndim != 3:
        raise InputError(
            "two stacks of images of one shape (n, height, width) are needed, got"
            f" {first.shape} and {second.shape}"
        )
    if min(first.shape[1:]) < WINDOW:
        raise InputError(
            f"images must be at least {WINDOW} x {WINDOW} pixels, the window of SSIM, got"
            f" {first.shape[1]} x {first.shape[2]}"
        )
    if not 0 < data_range < np.inf:
        raise InputError(f"data_range must be a finite number above 0, got {data_range!r}")
    n_pairs, height, width = first.shape
    # Sums over all windows are two small matrix products, of 0s and 1s: exact for uint8 images.
    down, across = _windows(height), np.ascontiguousarray(_windows(width).T)
    inner = (len(down), across.shape[1])
    # One workspace for all batches: fresh temporaries would cost more in page faults than the
    # arithmetic on them.
    whole = np.empty((3, _BATCH, height, width))
    halfway = np.empty((_BATCH, inner[0], width))
    windows = np.empty((5, _BATCH, *inner))
    similarity = np.empty(n_pairs)
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2

    def set_means(out: npt.NDArray[np.float64], image: npt.NDArray[np.float64]) -> None:
        np.matmul(down, image, out=halfway[: len(image)])
        np.matmul(halfway[: len(image)], across, out=out)
        out /= WINDOW**2

    for start in range(0, n_pairs, _BATCH):
        batch = slice(start, min(start + _BATCH, n_pairs))
        size = batch.stop - start
        x, y, xy = whole[:, :size]
        mean_x, mean_y, covariance, variances, product = windows[:, :size]
        x[...], y[...] = first[batch], second[batch]
        set_means(mean_x, x)
        set_means(mean_y, y)
        set_means(covariance, np.multiply(x, y, out=xy))
        # The two variances enter as their sum only: one pass over the windows for both.
        x *= x
        y *= y
        x += y
        set_means(variances, x)
        np.multiply(mean_x, mean_y, out=product)
        mean_x *= mean_x
        mean_y *= mean_y
        squares = np.add(mean_x, mean_y, out=mean_x)
        covariance -= product
        covariance *= 2 * unbiased
        variances -= squares
        variances *= unbiased
        # (2 product + c1) (2 covariance + c2) / ((squares + c1) (variances + c2))
        product *= 2
        product += c1
        covariance += c2
        product *= covariance
        squares += c1
        variances += c2
        squares *= variances
        product /= squares
        similarity[batch] = product.mean(axis=(1, 2))
    return similarity


def rank_pairs(distances: npt.NDArray[np.float64], class_names: Sequence[str]) -> list[RankedPair]:
    """All pairs of different classes, the largest distance first.

    Parameters
    ----------
    distances
        As `class_distances` gives them; the diagonal is not looked at.
    class_names
        In the order of the rows.

    Returns
    -------
    Pairs with ranks 1, 2, ...; of equal distances the pair of earlier classes comes first.

    Raises
    ------
    InputError
        Not a square symmetric matrix of finite numbers, or another number of names.

    Examples
    --------
    >>> import numpy as np
    >>> from bipnet.experiments.ssim import rank_pairs
    >>> rank_pairs(np.array([[0.1, 0.4], [0.4, 0.2]]), ["cat", "dog"])
    [RankedPair(rank=1, first='cat', second='dog', distance=0.4)]
    """
    distances = np.asarray(distances, dtype=np.float64)
    n_classes = len(class_names)
    if distances.shape != (n_classes, n_classes):
        raise InputError(
            f"distances must be a square matrix, a row for each of the {n_classes} class names,"
            f" got shape {distances.shape}"
        )
    a, b = np.triu_indices(n_classes, k=1)
    upper, lower = distances[a, b], distances[b, a]
    wrong = np.nonzero(~np.isfinite(upper) | (upper != lower))[0]
    if wrong.size:
        at = wrong[0]
        raise InputError(
            f"distances must be finite and symmetric: [{a[at]}, {b[at]}] is {upper[at]} and"
            f" [{b[at]}, {a[at]}] is {lower[at]}"
        )
    order = np.argsort(-upper, kind="stable")
    return [
        RankedPair(rank, class_names[a[at]], class_names[b[at]], float(upper[at]))
        for rank, at in enumerate(order, start=1)
    ]


def easiest_and_hardest(ranked: Sequence[RankedPair]) -> tuple[RankedPair, RankedPair]:
    """The pair farthest apart and the pair closest together, of what `rank_pairs` gives.

    Notes
    -----
    Paper, section 3: its easy and its hard task. On both data sets several pairs are nearly
    tied, so its figures name their pairs (`PAPER_TASKS`) instead.
    """
    if not ranked:
        raise InputError("there is no pair to choose from; rank at least two classes")
    by_rank = sorted(ranked, key=lambda pair: pair.rank)
    return by_rank[0], by_rank[-1]


def _windows(n_pixels: int) -> npt.NDArray[np.float64]:
    """Row i has ones at pixels i to i + 6: the windows that fit into ``n_pixels``."""
    start = np.arange(n_pixels - WINDOW + 1)[:, np.newaxis]
    offset = np.arange(n_pixels)[np.newaxis, :] - start
    return ((offset >= 0) & (offset < WINDOW)).astype(np.float64)
