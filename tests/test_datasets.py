"""bipnet.experiments.datasets: what is loaded, and what is said when it cannot be."""

from __future__ import annotations

import dataclasses
import gzip
import os
import struct
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bipnet.errors import (
    BipnetError,
    DTypeError,
    FileFormatError,
    InputError,
    MissingExtraError,
    MissingFileError,
)
from bipnet.experiments import datasets
from bipnet.experiments.datasets import (
    DATASETS,
    PAPER_TASKS,
    ImageDataset,
    load_dataset,
    read_idx,
)

TRAIN, TEST = 30, 20  # images of the tiny files
FASHION = "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot"


def idx(values: np.ndarray[Any, Any]) -> bytes:
    """An IDX file of unsigned bytes, written from the format's description."""
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.astype(np.uint8).tobytes()


def tiny() -> dict[str, np.ndarray[Any, Any]]:
    """What the four tiny files hold, by file name without ending."""
    rng = np.random.default_rng(5)
    return {
        "train-images-idx3-ubyte": rng.integers(0, 256, (TRAIN, 8, 9)),
        "train-labels-idx1-ubyte": np.arange(TRAIN) % 10,
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (TEST, 8, 9)),
        "t10k-labels-idx1-ubyte": np.arange(TEST)[::-1] % 10,
    }


def write_tiny(folder: Path, *, zipped: bool = False, joint: str = "-") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in tiny().items():
        content = gzip.compress(idx(values)) if zipped else idx(values)
        name = name.replace("-idx", f"{joint}idx") + (".gz" if zipped else "")
        (folder / name).write_bytes(content)
    return folder


def shared_mnist() -> Path:
    """MNIST beside the checkout; the test is skipped where there is none."""
    folder = Path(__file__).parents[1] / ".." / "shared" / "data" / "mnist"
    if not folder.is_dir():
        pytest.skip("no ../shared/data/mnist beside the checkout")
    return folder


def make(**changes: Any) -> ImageDataset:
    fields: dict[str, Any] = {
        "name": "made",
        "class_names": ("cat", "dog", "cow"),
        "train_images": np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2),
        "train_labels": np.array([0, 1, 2, 1, 0, 2]),
        "test_images": np.full((2, 2, 2), 255, dtype=np.uint8),
        "test_labels": np.array([1, 0], dtype=np.int8),
        "value_range": (0, 255),
    }
    return ImageDataset(**{**fields, **changes})


@pytest.fixture(autouse=True)
def _no_machine_folders(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither the user's cache nor Debian's package may decide a test."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    elsewhere = types.MappingProxyType(
        {
            name: dataclasses.replace(source, system_folder=None)
            for name, source in datasets._SOURCES.items()
        }
    )
    monkeypatch.setattr(datasets, "_SOURCES", elsewhere)


# --- digits


def test_digits__first_70_percent_of_each_class_train() -> None:
    from sklearn.datasets import load_digits

    raw = load_digits()
    digits = load_dataset("digits")
    assert digits.train_images.dtype == np.uint8
    assert digits.value_range == (0.0, 16.0)
    assert digits.class_names == tuple("0123456789")
    assert len(digits.train_labels) + len(digits.test_labels) == 1797
    for label in range(10):
        of_class = raw.images[raw.target == label]
        n_train = len(of_class) * 7 // 10
        train = digits.train_images[digits.train_labels == label]
        test = digits.test_images[digits.test_labels == label]
        np.testing.assert_array_equal(train, of_class[:n_train])
        np.testing.assert_array_equal(test, of_class[n_train:])


def test_digits__are_the_same_every_time() -> None:
    first, second = load_dataset("digits"), load_dataset("digits")
    np.testing.assert_array_equal(first.train_images, second.train_images)
    np.testing.assert_array_equal(first.test_labels, second.test_labels)


def test_digits__name_the_extra_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'bipnet\[experiments\]'"):
        load_dataset("digits")


# --- the central type


def test_image_dataset__is_read_only_and_has_a_short_repr() -> None:
    dataset = make()
    assert dataset.test_labels.dtype == np.int64
    assert dataset.image_shape == (2, 2)
    assert "array" not in repr(dataset)
    with pytest.raises(ValueError, match="read-only"):
        dataset.train_images[0] = 0
    with pytest.raises(AttributeError):
        dataset.name = "other"  # type: ignore[misc]


def test_image_dataset__leaves_the_callers_arrays_writable() -> None:
    images, labels = np.zeros((2, 3, 3)), np.array([0, 1])
    make(test_images=images, test_labels=labels, train_images=np.zeros((6, 3, 3)))
    images[0], labels[0] = 1, 1
    assert images[0].all()
    assert labels[0] == 1


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"class_names": ("a", "b", "a")}, InputError, "distinct names"),
        ({"class_names": ("a",)}, InputError, "two or more"),
        ({"value_range": (255, 0)}, InputError, r"value_range .* got \(255, 0\)"),
        ({"value_range": (0, np.inf)}, InputError, "finite"),
        ({"value_range": (1, 255)}, InputError, r"train_images\[0, 0, 0\] is 0, outside"),
        ({"test_images": np.zeros((2, 4))}, InputError, r"shape .* got \(2, 4\)"),
        ({"test_images": np.zeros((0, 2, 2))}, InputError, "none of them 0"),
        ({"test_images": np.zeros((2, 2, 2), int)}, DTypeError, "test_images must be uint8"),
        ({"test_images": np.zeros((2, 3, 3))}, InputError, r"one size, got \(2, 2\) and \(3, 3\)"),
        (
            {"test_images": np.array([[[0, 1], [2, 3]], [[4, np.nan], [6, 7]]])},
            InputError,
            r"test_images\[1, 0, 1\] is nan",
        ),
        ({"test_labels": np.array([0.0, 1.0])}, DTypeError, "test_labels must be integers"),
        ({"test_labels": np.array([0, 1, 2])}, InputError, r"each of the 2 images, .* \(3,\)"),
        ({"test_labels": np.array([0, 3])}, InputError, r"test_labels\[1\] is 3; .* 0 to 2"),
        ({"test_labels": np.array([-1, 0])}, InputError, r"test_labels\[0\] is -1"),
    ],
)
def test_image_dataset__refuses_what_does_not_fit(
    changes: dict[str, Any], error: type[BipnetError], message: str
) -> None:
    with pytest.raises(error, match=message):
        make(**changes)


def test_split__knows_train_and_test_only() -> None:
    dataset = make()
    assert dataset.split("train")[0] is dataset.train_images
    assert dataset.split("test")[1] is dataset.test_labels
    with pytest.raises(InputError, match="'train' or 'test', got 'valid'"):
        dataset.split("valid")  # type: ignore[arg-type]


# --- two classes


def test_two_classes__keeps_the_order_of_the_split_and_scales() -> None:
    dataset = make()
    x, y = dataset.two_classes("cat", "dog", "train")
    assert x.dtype == np.float32
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, [0, 1, 1, 0])
    raw = dataset.train_images[[0, 1, 3, 4]].reshape(4, 4)
    np.testing.assert_allclose(x, raw / 127.5 - 1, atol=1e-7)
    np.testing.assert_array_equal(dataset.two_classes("cat", "dog", "test")[0], np.ones((2, 4)))


def test_two_classes__are_0_and_1_in_the_order_given() -> None:
    x, y = make().two_classes("cat", "cow", "train")
    swapped_x, swapped_y = make().two_classes("cow", "cat", "train")
    np.testing.assert_array_equal(x, swapped_x)
    np.testing.assert_array_equal(y, 1 - swapped_y)


@pytest.mark.parametrize("pair", [(0, 2), (np.int64(0), "cow"), ("cat", 2)])
def test_two_classes__takes_names_and_indices(pair: tuple[Any, Any]) -> None:
    x, y = make().two_classes(*pair, "train")
    want_x, want_y = make().two_classes("cat", "cow", "train")
    np.testing.assert_array_equal(x, want_x)
    np.testing.assert_array_equal(y, want_y)


def test_two_classes__scales_every_byte_as_torchvision_does() -> None:
    images = np.arange(256, dtype=np.uint8).reshape(2, 8, 16)
    dataset = make(test_images=images, train_images=np.zeros((6, 8, 16)))
    x, _ = dataset.two_classes("dog", "cat", "test")
    in_0_1 = np.arange(256, dtype=np.float32) / np.float32(255)  # ToTensor
    normalised = (in_0_1 - np.float32(0.5)) / np.float32(0.5)  # Normalize((0.5,), (0.5,))
    np.testing.assert_array_equal(x.reshape(-1), normalised)


def test_two_classes__maps_an_odd_float_range_to_minus_1_and_1() -> None:
    low, high = 1e6, 1e6 + 1e-3
    images = np.array([[[low, high]], [[high, (low + high) / 2]]])
    dataset = make(test_images=images, train_images=images[[0] * 6], value_range=(low, high))
    x, _ = dataset.two_classes("dog", "cat", "test")
    np.testing.assert_allclose(x, [[-1, 1], [1, 0]], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cat", "cat", "train"), "two different classes"),
        ((0, "cat", "train"), "two different classes"),
        (("cat", "horse", "train"), "made has no class 'horse'; its classes are cat, dog, cow"),
        ((0, 3, "train"), "no class 3; its classes are 0 to 2"),
        ((-1, 0, "train"), "no class -1"),
        ((True, 0, "train"), "a name or an integer, got True"),
        ((1.0, 0, "train"), r"a name or an integer, got 1\.0"),
        (("cat", "cow", "test"), "no test images of cow"),
    ],
)
def test_two_classes__refuses(arguments: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make().two_classes(*arguments)


# --- files


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("joint", ["-", "."])
@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mnist", "."),
        ("mnist", "mnist"),
        ("mnist", "MNIST/raw"),
        ("fashion-mnist", "."),
        ("fashion-mnist", "fashion-mnist"),
        ("fashion-mnist", "FashionMNIST/raw"),
    ],
)
def test_files__are_found_under_every_layout_and_spelling(
    tmp_path: Path, name: str, folder: str, joint: str, zipped: bool
) -> None:
    write_tiny(tmp_path / folder, zipped=zipped, joint=joint)
    dataset = load_dataset(name, data_dir=str(tmp_path))
    want = tiny()
    assert dataset.name == name
    assert dataset.value_range == (0.0, 255.0)
    assert dataset.train_images.dtype == np.uint8
    np.testing.assert_array_equal(dataset.train_images, want["train-images-idx3-ubyte"])
    np.testing.assert_array_equal(dataset.train_labels, want["train-labels-idx1-ubyte"])
    np.testing.assert_array_equal(dataset.test_images, want["t10k-images-idx3-ubyte"])
    np.testing.assert_array_equal(dataset.test_labels, want["t10k-labels-idx1-ubyte"])


def test_files__of_the_named_subfolder_win_over_those_beside_it(tmp_path: Path) -> None:
    write_tiny(tmp_path / "fashion-mnist")
    (write_tiny(tmp_path) / "train-images-idx3-ubyte").write_bytes(b"of another data set")
    assert load_dataset("fashion-mnist", data_dir=tmp_path).train_images.shape == (TRAIN, 8, 9)


def test_files__named_gz_and_unpacked_by_a_browser_are_read(tmp_path: Path) -> None:
    for path in write_tiny(tmp_path).iterdir():
        path.rename(path.with_name(path.name + ".gz"))
    assert load_dataset("mnist", data_dir=tmp_path).test_images.shape == (TEST, 8, 9)


def test_files__are_looked_for_in_the_cache_and_in_debians_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingFileError, match="Debian's package dataset-fashion-mnist"):
        load_dataset("fashion-mnist")
    debian = dataclasses.replace(
        datasets._SOURCES["fashion-mnist"], system_folder=write_tiny(tmp_path, zipped=True)
    )
    monkeypatch.setattr(datasets, "_SOURCES", {"fashion-mnist": debian})
    fashion = load_dataset("fashion-mnist")
    assert ", ".join(fashion.class_names) == FASHION
    with pytest.raises(MissingFileError):  # a data_dir is looked into alone
        load_dataset("fashion-mnist", data_dir=tmp_path / "elsewhere")
    cached = write_tiny(Path(os.environ["XDG_CACHE_HOME"], "bipnet", "FashionMNIST", "raw"))
    (cached / "train-labels-idx1-ubyte").write_bytes(b"")
    with pytest.raises(FileFormatError, match="FashionMNIST"):  # the cache comes first
        load_dataset("fashion-mnist")


def test_cache__is_under_the_home_folder_unless_xdg_names_an_absolute_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert datasets._cache_folder() == tmp_path / ".cache" / "bipnet"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert datasets._cache_folder() == tmp_path / "xdg" / "bipnet"


def test_load_dataset__lists_the_names_it_knows() -> None:
    with pytest.raises(InputError, match="digits, mnist, fashion-mnist, got 'cifar'"):
        load_dataset("cifar")
    assert set(DATASETS) == {"digits", *datasets._SOURCES}


def test_missing_files__are_named_with_the_folder_and_the_options(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError) as caught:
        load_dataset("mnist", data_dir=tmp_path / "nowhere")
    message = str(caught.value)
    for part in ("train-images-idx3-ubyte[.gz]", "nowhere", "MNIST", "--data-dir", "--download"):
        assert part in message
    assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize("missing", sorted(tiny()))
def test_missing_files__one_of_four_is_the_only_one_named(tmp_path: Path, missing: str) -> None:
    (write_tiny(tmp_path / "mnist") / missing).unlink()
    with pytest.raises(MissingFileError) as caught:
        load_dataset("mnist", data_dir=tmp_path)
    message = str(caught.value)
    assert f"no file {missing}[.gz] in {tmp_path / 'mnist'};" in message


Damage = Callable[[bytes], bytes]


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda b: b[:-1], "truncated: its header announces", id="truncated"),
        pytest.param(lambda b: b + b"\0", "goes on after the", id="trailing"),
        pytest.param(lambda b: b"", r"starts with the bytes \(none\)", id="empty"),
        pytest.param(lambda b: b[:6], "ends inside its header, after 6 of", id="header"),
        pytest.param(lambda b: b"<htm" + b[4:], "starts with the bytes 3c 68 74 6d", id="html"),
        pytest.param(lambda b: b[:2] + b"\x0d" + b[3:], "00 00 0d", id="float"),
        pytest.param(lambda b: b[:3] + b"\x02" + b[4:], "00 00 08 02", id="dimensions"),
        pytest.param(lambda b: b[:4] + bytes(4) + b[8:], "it holds nothing", id="zero"),
        pytest.param(lambda b: b[:4] + b"\xff" * 4 + b[8:], "truncated", id="huge"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_damaged_files__are_named_with_what_was_expected(
    tmp_path: Path, name: str, damage: Damage, message: str, zipped: bool
) -> None:
    path = write_tiny(tmp_path, zipped=zipped) / (name + (".gz" if zipped else ""))
    content = damage(idx(tiny()[name]))
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(FileFormatError, match=message) as caught:
        load_dataset("mnist", data_dir=tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda b: b[:-9], id="cut"),
        pytest.param(lambda b: b[:5], id="cut in the header"),
        pytest.param(lambda b: b[:-8] + bytes(4) + b[-4:], id="wrong check sum"),
        pytest.param(lambda b: b[:40] + bytes(20) + b[60:], id="zeros inside"),
        pytest.param(lambda b: b + b"more", id="more behind it"),
    ],
)
def test_damaged_gzip__is_named(tmp_path: Path, damage: Damage) -> None:
    path = write_tiny(tmp_path, zipped=True) / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FileFormatError, match="damaged or truncated gzip") as caught:
        load_dataset("mnist", data_dir=tmp_path)
    assert str(path) in str(caught.value)


def test_unreadable_file__is_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="cannot be read: Is a directory"):
        read_idx(tmp_path, 1)


def test_labels__outside_0_to_9_are_refused_with_their_position(tmp_path: Path) -> None:
    labels = np.arange(TRAIN) % 10
    labels[17] = 10
    (write_tiny(tmp_path) / "train-labels-idx1-ubyte").write_bytes(idx(labels))
    with pytest.raises(FileFormatError, match="label 10 at position 17"):
        load_dataset("mnist", data_dir=tmp_path)


@pytest.mark.parametrize("name", ["train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"])
def test_labels__of_another_number_than_the_images_are_refused(tmp_path: Path, name: str) -> None:
    (write_tiny(tmp_path) / name).write_bytes(idx(np.zeros(7)))
    with pytest.raises(FileFormatError, match=r"images and .* 7 labels") as caught:
        load_dataset("mnist", data_dir=tmp_path)
    assert name in str(caught.value)


def test_images__of_two_sizes_are_refused(tmp_path: Path) -> None:
    images = np.zeros((TEST, 5, 5))
    (write_tiny(tmp_path) / "t10k-images-idx3-ubyte").write_bytes(idx(images))
    with pytest.raises(FileFormatError, match=r"\(8, 9\) pixels and .* \(5, 5\)"):
        load_dataset("mnist", data_dir=tmp_path)


# --- download


def put_torchvision(monkeypatch: pytest.MonkeyPatch, constructor: Any) -> None:
    """A torchvision whose two data sets are made by ``constructor(folder, class name)``."""
    package, module = types.ModuleType("torchvision"), types.ModuleType("torchvision.datasets")
    for name in ("MNIST", "FashionMNIST"):

        def construct(root: str, *, download: bool, name: str = name) -> None:
            assert download
            constructor(Path(root, name, "raw"), name)

        setattr(module, name, construct)
    package.datasets = module  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", module)


def all_files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("name", "class_name"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")]
)
def test_download__keeps_the_files_for_later_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    class_name: str,
) -> None:
    calls = []

    def fetch(folder: Path, requested: str) -> None:
        calls.append(requested)
        print("Downloading ...")
        write_tiny(folder)
        write_tiny(folder, zipped=True)  # torchvision leaves both

    put_torchvision(monkeypatch, fetch)
    goal = tmp_path / "new" / "data"
    dataset = load_dataset(name, data_dir=goal, download=True)
    np.testing.assert_array_equal(dataset.train_images, tiny()["train-images-idx3-ubyte"])
    assert all_files(goal) == {f"{class_name}/raw/{file}" for file in tiny()}
    assert os.listdir(goal) == [class_name]  # the folder it was fetched into is gone
    again = load_dataset(name, data_dir=goal, download=True)
    np.testing.assert_array_equal(again.test_images, dataset.test_images)
    assert calls == [class_name]
    assert capsys.readouterr() == ("", "")  # no terminal here


def test_download__goes_to_the_cache_without_a_data_dir(monkeypatch: pytest.MonkeyPatch) -> None:
    put_torchvision(monkeypatch, lambda folder, name: write_tiny(folder, zipped=True))
    load_dataset("mnist", download=True)
    cache = Path(os.environ["XDG_CACHE_HOME"])
    assert all_files(cache) == {f"bipnet/MNIST/raw/{file}.gz" for file in tiny()}
    load_dataset("mnist")


def test_download__fills_up_a_folder_with_files_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (write_tiny(tmp_path) / "train-labels-idx1-ubyte").unlink()
    put_torchvision(monkeypatch, lambda folder, name: write_tiny(folder))
    load_dataset("mnist", data_dir=tmp_path, download=True)
    assert len(load_dataset("mnist", data_dir=tmp_path).train_labels)


def test_download__is_never_tried_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_torchvision(monkeypatch, lambda folder, name: write_tiny(folder))
    with pytest.raises(MissingFileError, match="--download"):
        load_dataset("mnist", data_dir=tmp_path)


def raise_two_lines(folder: Path, name: str) -> None:
    write_tiny(folder)
    raise RuntimeError("Error downloading x:\nTried y, got:\nno route to host\n")


def write_three(folder: Path, name: str) -> None:
    (write_tiny(folder) / "t10k-labels-idx1-ubyte").unlink()


def write_truncated(folder: Path, name: str) -> None:
    path = write_tiny(folder) / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    ("fetch", "reason"),
    [
        (raise_two_lines, "Error downloading x: Tried y, got: no route to host"),
        (write_three, r"brought \['test_images', 'train_images', 'train_labels'\]"),
        (write_truncated, "truncated"),
    ],
)
def test_download__that_fails_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fetch: Any, reason: str
) -> None:
    put_torchvision(monkeypatch, fetch)
    with pytest.raises(MissingFileError, match=f"MNIST could not be .*{reason}") as caught:
        load_dataset("mnist", data_dir=tmp_path, download=True)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_download__that_is_interrupted_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(folder: Path, name: str) -> None:
        write_tiny(folder)
        raise KeyboardInterrupt

    put_torchvision(monkeypatch, interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_dataset("mnist", data_dir=tmp_path, download=True)
    assert os.listdir(tmp_path) == []


def test_download__into_a_place_that_is_no_folder_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_torchvision(monkeypatch, lambda folder, name: write_tiny(folder))
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingFileError, match="could not be downloaded"):
        load_dataset("mnist", data_dir=tmp_path / "file", download=True)


def test_download__names_the_extra_without_torchvision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'bipnet\[download\]'"):
        load_dataset("mnist", data_dir=tmp_path / "new", download=True)
    assert os.listdir(tmp_path) == []


def test_download__says_so_if_torchvision_was_made_for_another_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
            if name == "torchvision":
                raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(MissingExtraError, match=r"does not fit this torch .*nms"):
        load_dataset("mnist", data_dir=tmp_path, download=True)


# --- the paper's data


def test_paper_tasks__name_classes_that_exist() -> None:
    assert PAPER_TASKS["mnist"] == {"easy": ("0", "7"), "hard": ("7", "9")}
    assert PAPER_TASKS["fashion-mnist"] == {
        "easy": ("Dress", "Pullover"),
        "hard": ("Dress", "Trouser"),
    }
    for name, tasks in PAPER_TASKS.items():
        for pair in tasks.values():
            assert set(pair) <= set(datasets._SOURCES[name].class_names)


@pytest.mark.shared
def test_mnist__is_all_there() -> None:
    mnist = load_dataset("mnist", data_dir=shared_mnist())
    assert mnist.train_images.shape == (60_000, 28, 28)
    assert mnist.test_images.shape == (10_000, 28, 28)
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(mnist.train_labels).tolist() == train
    assert np.bincount(mnist.test_labels).tolist() == test
    assert mnist.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    x, y = mnist.two_classes("7", "9", "train")
    assert x.shape == (6265 + 5949, 784)
    assert (x.min(), x.max()) == (-1, 1)
    assert y.sum() == 5949


@pytest.mark.shared
def test_mnist__is_not_taken_for_fashion_mnist() -> None:
    folder = shared_mnist()
    with pytest.raises(FileFormatError, match="belongs to MNIST, not to Fashion-MNIST"):
        load_dataset("fashion-mnist", data_dir=folder)
