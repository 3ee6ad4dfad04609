"""Labelled images: the data of the paper's image experiments, from files already there.

Nothing is fetched unless a caller says ``download=True``; the 8x8 digits inside scikit-learn
need no file at all.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import os
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from bipnet.errors import (
    DTypeError,
    FileFormatError,
    InputError,
    MissingExtraError,
    MissingFileError,
)

Images: TypeAlias = npt.NDArray[Any]
Labels: TypeAlias = npt.NDArray[np.int64]
Split: TypeAlias = Literal["train", "test"]

DATASETS = ("digits", "mnist", "fashion-mnist")
"""What `load_dataset` knows by name."""

PAPER_TASKS: Mapping[str, Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "mnist": MappingProxyType({"easy": ("0", "7"), "hard": ("7", "9")}),
        "fashion-mnist": MappingProxyType(
            {"easy": ("Dress", "Pullover"), "hard": ("Dress", "Trouser")}
        ),
    }
)
"""The easy and the hard pair of classes the paper names (section 3), in its order."""

_CHUNK = 1 << 20  # bytes read at once: a header that lies cannot make us allocate


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """Grey images of one size with a class each, split into train and test.

    Parameters
    ----------
    name
        What messages and tables call it.
    class_names
        One distinct name for each class; label k belongs to class_names[k].
    train_images, test_images
        uint8 or floating-point, (n, height, width).
    train_labels, test_labels
        Integers from 0 to len(class_names) - 1, (n,); kept as int64.
    value_range
        The lowest and the highest value an image can have: black and white, not the extremes
        of this sample.

    Raises
    ------
    InputError
        Shapes that do not fit together, labels without a class, values outside the range.
    DTypeError
        Images that are neither uint8 nor floats, labels that are no integers.
    """

    name: str
    class_names: tuple[str, ...]
    train_images: Images = field(repr=False)
    train_labels: Labels = field(repr=False)
    test_images: Images = field(repr=False)
    test_labels: Labels = field(repr=False)
    value_range: tuple[float, float]

    def __post_init__(self) -> None:
        names = tuple(self.class_names)
        if len(names) < 2 or len(set(names)) < len(names):
            raise InputError(f"class_names must be two or more distinct names, got {names}")
        lowest, highest = (float(value) for value in self.value_range)
        if not -math.inf < lowest < highest < math.inf:
            raise InputError(
                f"value_range must be a finite (low, high), low < high, got {self.value_range}"
            )
        # Frozen all the way down: read-only views, so that no caller changes another's data.
        settled: dict[str, Any] = {"class_names": names, "value_range": (lowest, highest)}
        for split in ("train", "test"):
            settled[f"{split}_images"], settled[f"{split}_labels"] = _settle(
                f"{split}_images",
                getattr(self, f"{split}_images"),
                f"{split}_labels",
                getattr(self, f"{split}_labels"),
                n_classes=len(names),
                value_range=(lowest, highest),
            )
        shapes = [settled[f"{split}_images"].shape[1:] for split in ("train", "test")]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"train and test images must have one size, got {shapes[0]} and {shapes[1]}"
            )
        for attribute, value in settled.items():
            object.__setattr__(self, attribute, value)

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of every image."""
        height, width = self.train_images.shape[1:]
        return int(height), int(width)

    def split(self, split: Split) -> tuple[Images, Labels]:
        """Images and labels of the "train" or the "test" split, read-only."""
        if split == "train":
            return self.train_images, self.train_labels
        if split == "test":
            return self.test_images, self.test_labels
        raise InputError(f"split must be 'train' or 'test', got {split!r}")

    def class_index(self, which: str | int) -> int:
        """The label of a class given by its name or by its label."""
        if isinstance(which, str):
            if which in self.class_names:
                return self.class_names.index(which)
            raise InputError(
                f"{self.name} has no class {which!r}; its classes are {', '.join(self.class_names)}"
            )
        n_classes = len(self.class_names)
        if isinstance(which, (bool, np.bool_)) or not isinstance(which, (int, np.integer)):
            raise InputError(f"a class must be a name or an integer, got {which!r}")
        if not 0 <= which < n_classes:
            raise InputError(
                f"{self.name} has no class {which}; its classes are 0 to {n_classes - 1}"
                f" ({', '.join(self.class_names)})"
            )
        return int(which)

    def two_classes(
        self, first: str | int, second: str | int, split: Split
    ) -> tuple[npt.NDArray[np.float32], Labels]:
        """All images of two classes, as the vectors and targets a network is trained on.

        Parameters
        ----------
        first, second
            Name or label; ``first`` becomes target 0 and ``second`` target 1.
        split
            "train" or "test".

        Returns
        -------
        x of shape (n, height * width), scaled so that value_range becomes [-1, 1], and y of
        zeros and ones; both in the order of the split.

        Raises
        ------
        InputError
            No such class or split, the same class twice, a class without images in the split.

        Examples
        --------
        >>> from bipnet.experiments.datasets import load_dataset
        >>> x, y = load_dataset("digits").two_classes("7", "9", "test")
        >>> x.shape, float(x.min()), y[:5]
        ((108, 64), -1.0, array([0, 0, 0, 1, 1]))
        """
        images, labels = self.split(split)
        pair = self.class_index(first), self.class_index(second)
        if pair[0] == pair[1]:
            raise InputError(f"two different classes are needed, got {first!r} and {second!r}")
        for index in pair:
            if not (labels == index).any():
                raise InputError(f"{self.name} has no {split} images of {self.class_names[index]}")
        chosen = np.isin(labels, pair)
        x = self.scaled(images[chosen])
        return x.reshape(len(x), -1), (labels[chosen] == pair[1]).astype(np.int64)

    def scaled(self, images: Images) -> npt.NDArray[np.float32]:
        """A copy of some images as networks get them: value_range becomes [-1, 1]."""
        lowest, highest = self.value_range
        # For uint8 this is single precision, bit for bit what torchvision's ToTensor and
        # Normalize(0.5, 0.5) give; wide floats are scaled before they are rounded.
        x = images.astype(np.result_type(images.dtype, np.float32))
        x -= lowest
        x /= highest - lowest
        x *= 2
        x -= 1
        return x.astype(np.float32, copy=False)


def load_dataset(
    name: str, *, data_dir: str | os.PathLike[str] | None = None, download: bool = False
) -> ImageDataset:
    """Load "digits", "mnist" or "fashion-mnist".

    Parameters
    ----------
    name
        "digits" is scikit-learn's set of 1797 8x8 images and needs no files; of each class the
        first 70 % in file order are train, the rest test. The others are four IDX files,
        plain or gzip, with the split they come with.
    data_dir
        Folder that holds the IDX files, directly or in a subfolder (``mnist``, ``MNIST/raw``,
        ``fashion-mnist``, ``FashionMNIST/raw``). None looks in bipnet's cache folder
        (``$XDG_CACHE_HOME/bipnet``, else ``~/.cache/bipnet``) and, for Fashion-MNIST, where
        Debian's package dataset-fashion-mnist puts it.
    download
        Fetch files that are not there, by torchvision, into ``data_dir`` or the cache folder.
        Files that are there are read, never replaced.

    Raises
    ------
    InputError
        No data set of that name.
    MissingFileError
        A file is not there, or the download failed.
    FileFormatError
        A file is damaged or belongs to another data set.
    MissingExtraError
        scikit-learn or torchvision is not installed.

    Examples
    --------
    >>> from bipnet.experiments.datasets import load_dataset
    >>> digits = load_dataset("digits")
    >>> digits.train_images.shape, digits.test_images.shape, digits.value_range
    ((1253, 8, 8), (544, 8, 8), (0.0, 16.0))
    """
    if name == "digits":
        return _load_digits()
    if name not in _SOURCES:
        raise InputError(f"name must be one of {', '.join(DATASETS)}, got {name!r}")
    source = _SOURCES[name]
    root = _cache_folder() if data_dir is None else Path(data_dir).expanduser()
    folders = [*(root / folder for folder in source.folders), root]
    if data_dir is None and source.system_folder is not None:
        folders.append(source.system_folder)
    for folder in folders:
        found = _files_in(folder)
        if len(found) == len(_FILES):
            return _read_files(name, source, found)
    if download:
        return _download(name, source, root)
    raise MissingFileError(_missing_message(source, folders))


def find_dataset(name: str, data_dir: str | None, *, download: bool = False) -> ImageDataset:
    """A data set from ``data_dir``, or, if that has only others, from where it usually is.

    Raises
    ------
    MissingFileError
        It is in neither; says what was looked for in ``data_dir``.
    """
    if data_dir is None or name == "digits":
        return load_dataset(name, download=download)
    try:
        return load_dataset(name, data_dir=data_dir)
    except MissingFileError:
        # One folder for all data sets of a run: Debian has a folder of its own for one of them.
        with contextlib.suppress(MissingFileError):
            return load_dataset(name)
        return load_dataset(name, data_dir=data_dir, download=download)


def read_idx(path: Path, n_dimensions: int) -> npt.NDArray[np.uint8]:
    """The unsigned bytes of an IDX file, plain or gzip, as an array of ``n_dimensions``.

    Raises
    ------
    FileFormatError
        Another kind of file, too short, too long, empty, or damaged gzip.
    """
    try:
        with path.open("rb") as raw:
            # By content: browsers unpack .gz files on the way and keep the name.
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with contextlib.ExitStack() as stack:
                stream: io.BufferedIOBase = raw
                if zipped:
                    stream = stack.enter_context(gzip.GzipFile(fileobj=raw))
                return _read_idx_stream(stream, path, n_dimensions)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileFormatError(
            f"{path} is a damaged or truncated gzip file ({error}); fetch it again"
        ) from error
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror or error}") from error


def _read_idx_stream(
    stream: io.BufferedIOBase, path: Path, n_dimensions: int
) -> npt.NDArray[np.uint8]:
    header = stream.read(4 + 4 * n_dimensions)
    magic = bytes([0, 0, 8, n_dimensions])  # 8: unsigned bytes
    if header[:4] != magic:
        raise FileFormatError(
            f"{path} starts with the bytes {header[:4].hex(' ') or '(none)'}; an IDX file of"
            f" unsigned bytes in {n_dimensions} dimension(s) starts with {magic.hex(' ')}:"
            " this is another kind of file"
        )
    if len(header) < 4 + 4 * n_dimensions:
        raise FileFormatError(
            f"{path} ends inside its header, after {len(header)} of {4 + 4 * n_dimensions} bytes;"
            " fetch it again"
        )
    shape = struct.unpack(f">{n_dimensions}I", header[4:])
    if 0 in shape:
        raise FileFormatError(f"{path} announces the shape {shape}: it holds nothing")
    n_bytes = math.prod(shape)
    content = bytearray()
    while len(content) < n_bytes and (chunk := stream.read(min(_CHUNK, n_bytes - len(content)))):
        content += chunk
    if len(content) < n_bytes:
        raise FileFormatError(
            f"{path} is truncated: its header announces {shape}, {n_bytes} bytes, and"
            f" {len(content)} follow; fetch it again"
        )
    if stream.read(1):  # this also lets gzip check its sum
        raise FileFormatError(
            f"{path} goes on after the {n_bytes} bytes of {shape} its header announces;"
            " fetch it again"
        )
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


@dataclass(frozen=True)
class _Source:
    """Where a data set made of IDX files comes from."""

    title: str
    class_names: tuple[str, ...]
    folders: tuple[str, ...]
    torchvision_class: str
    train_labels_crc32: int
    """Of the 60 000 label bytes: all sets of this family share their file names."""
    system_folder: Path | None = None
    hint: str = ""


_SOURCES: Mapping[str, _Source] = {
    "mnist": _Source(
        title="MNIST",
        class_names=tuple("0123456789"),
        folders=("mnist", "MNIST/raw"),
        torchvision_class="MNIST",
        train_labels_crc32=0xBA07E8EF,
    ),
    "fashion-mnist": _Source(
        title="Fashion-MNIST",
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        folders=("fashion-mnist", "FashionMNIST/raw"),
        torchvision_class="FashionMNIST",
        train_labels_crc32=0x2ED6E46A,
        system_folder=Path("/usr/share/datasets/fashion-mnist"),
        hint=", or install Debian's package dataset-fashion-mnist",
    ),
}

_FILES: Mapping[str, tuple[str, int]] = {  # role: (what stands before 'idx', dimensions)
    "train_images": ("train-images", 3),
    "train_labels": ("train-labels", 1),
    "test_images": ("t10k-images", 3),
    "test_labels": ("t10k-labels", 1),
}


def _cache_folder() -> Path:
    """bipnet's folder for fetched data, by the XDG rule: relative paths in it do not count."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return Path(cache if os.path.isabs(cache) else os.path.expanduser("~/.cache")) / "bipnet"


def _files_in(folder: Path) -> dict[str, Path]:
    """Which of the four files ``folder`` holds, under any of their spellings."""
    found = {}
    for role, (stem, n_dimensions) in _FILES.items():
        for ending in ("", ".gz"):
            for joint in ("-", "."):
                path = folder / f"{stem}{joint}idx{n_dimensions}-ubyte{ending}"
                if role not in found and os.path.isfile(path):
                    found[role] = path
    return found


def _missing_message(source: _Source, folders: list[Path]) -> str:
    fullest = max(folders, key=lambda folder: len(_files_in(folder)))
    found = _files_in(fullest)
    missing = [
        f"{stem}-idx{n_dimensions}-ubyte[.gz]"
        for role, (stem, n_dimensions) in _FILES.items()
        if role not in found
    ]
    where = str(fullest) if found else " or ".join(str(folder) for folder in folders)
    return (
        f"{source.title}: no file {', '.join(missing)} in {where}; name the folder that holds"
        " the four IDX files with --data-dir (data_dir=), fetch them with --download"
        f" (download=True){source.hint}"
    )


def _read_files(name: str, source: _Source, files: Mapping[str, Path]) -> ImageDataset:
    arrays = {role: read_idx(path, _FILES[role][1]) for role, path in files.items()}
    for split in ("train", "test"):
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        path = files[f"{split}_labels"]
        if len(images) != len(labels):
            raise FileFormatError(
                f"{files[f'{split}_images']} holds {len(images)} images and {path}"
                f" {len(labels)} labels; they do not belong together: fetch both again"
            )
        bad = np.nonzero(labels >= len(source.class_names))[0]
        if bad.size:
            raise FileFormatError(
                f"{path}: label {labels[bad[0]]} at position {bad[0]}; {source.title}'s labels"
                f" are 0 to {len(source.class_names) - 1}: this is another data set"
            )
    sizes = {split: arrays[f"{split}_images"].shape[1:] for split in ("train", "test")}
    if sizes["train"] != sizes["test"]:
        raise FileFormatError(
            f"{files['train_images']} holds images of {sizes['train']} pixels and"
            f" {files['test_images']} of {sizes['test']}; they do not belong together"
        )
    checksum = zlib.crc32(arrays["train_labels"].tobytes())
    for other in _SOURCES.values():
        if other is not source and checksum == other.train_labels_crc32:
            raise FileFormatError(
                f"{files['train_labels']} belongs to {other.title}, not to {source.title} (their"
                " files have the same names); name the right folder with --data-dir (data_dir=)"
            )
    return ImageDataset(
        name=name,
        class_names=source.class_names,
        train_images=arrays["train_images"],
        train_labels=arrays["train_labels"].astype(np.int64),
        test_images=arrays["test_images"],
        test_labels=arrays["test_labels"].astype(np.int64),
        value_range=(0.0, 255.0),
    )


def _download(name: str, source: _Source, root: Path) -> ImageDataset:
    """Fetch into a folder of its own, check, then move: a broken download leaves nothing."""
    try:
        import torchvision.datasets as remote
    except ImportError as error:
        raise MissingExtraError(
            f"downloading {source.title} needs torchvision, which is not installed:"
            " pip install 'bipnet[download]'"
        ) from error
    except (OSError, RuntimeError) as error:  # a wheel made for another torch
        raise MissingExtraError(
            f"downloading {source.title} needs torchvision, and the one installed does not fit"
            f" this torch ({error}): reinstall both from one place, or put the four IDX files"
            f" into {root} by hand"
        ) from error
    goal = root / source.torchvision_class / "raw"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as temporary:
            with _progress_on_a_terminal():
                getattr(remote, source.torchvision_class)(temporary, download=True)
            found = _files_in(Path(temporary, source.torchvision_class, "raw"))
            if len(found) < len(_FILES):
                raise MissingFileError(f"torchvision brought {sorted(found) or 'nothing'}")
            dataset = _read_files(name, source, found)
            goal.mkdir(parents=True, exist_ok=True)
            for path in found.values():
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
                os.replace(path, goal / path.name)
    except Exception as error:  # torchvision lets through whatever urllib, ssl and gzip raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MissingFileError(
            f"{source.title} could not be downloaded into {goal}: {reason}; try again, or put the"
            " four IDX files there by hand"
        ) from error
    return dataset


@contextlib.contextmanager
def _progress_on_a_terminal() -> Iterator[None]:
    """torchvision prints as it likes; stdout is for results and a log wants no bars."""
    sink = sys.stderr if sys.stderr.isatty() else io.StringIO()
    with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        yield


def _load_digits() -> ImageDataset:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError(
            "the digits are part of scikit-learn, which is not installed:"
            " pip install 'bipnet[experiments]'"
        ) from error
    digits = load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.int64)
    train = np.zeros(len(labels), dtype=np.bool_)
    for label in range(10):
        members = np.nonzero(labels == label)[0]
        train[members[: len(members) * 7 // 10]] = True
    return ImageDataset(
        name="digits",
        class_names=tuple("0123456789"),
        train_images=images[train],
        train_labels=labels[train],
        test_images=images[~train],
        test_labels=labels[~train],
        value_range=(0.0, 16.0),
    )


def _settle(
    images_name: str,
    images: Any,
    labels_name: str,
    labels: Any,
    *,
    n_classes: int,
    value_range: tuple[float, float],
) -> tuple[Images, Labels]:
    """Checked read-only views of the images and labels of one split."""
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise DTypeError(f"{images_name} must be uint8 or floats, got {images.dtype}; convert them")
    if labels.dtype.kind not in "iu":
        raise DTypeError(f"{labels_name} must be integers, got {labels.dtype}; convert them")
    if images.ndim != 3 or 0 in images.shape:
        raise InputError(
            f"{images_name} must have the shape (images, height, width), none of them 0, got"
            f" {images.shape}"
        )
    if labels.shape != images.shape[:1]:
        raise InputError(
            f"{labels_name} must hold one label for each of the {len(images)} images, got shape"
            f" {labels.shape}"
        )
    wrong = np.nonzero((labels < 0) | (labels >= n_classes))[0]
    if wrong.size:
        raise InputError(
            f"{labels_name}[{wrong[0]}] is {labels[wrong[0]]}; the labels of {n_classes} classes"
            f" are 0 to {n_classes - 1}"
        )
    lowest, highest = value_range
    if not (lowest <= images.min() and images.max() <= highest):  # false for NaN too
        at = np.argmax(~((images >= lowest) & (images <= highest)))
        where = [int(i) for i in np.unravel_index(at, images.shape)]
        raise InputError(
            f"{images_name}{where} is {images.reshape(-1)[at]}, outside value_range"
            f" {value_range}; give the range images can have, and finite images"
        )
    images, labels = images.view(), labels.astype(np.int64, copy=False).view()
    images.flags.writeable = labels.flags.writeable = False
    return images, labels
