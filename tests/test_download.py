"""--download with the real torchvision, from a server on this machine that has the real files."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bipnet.experiments.datasets import load_dataset

FILES = tuple(
    f"{part}-{kind}-ubyte.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
)


@pytest.fixture(scope="module")
def mirror(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address and folder of a web server with MNIST's four files."""
    folder = tmp_path_factory.mktemp("mirror")
    for name in FILES:
        content = gzip.decompress((shared / "data" / "mnist" / name).read_bytes())
        (folder / name).write_bytes(gzip.compress(content, compresslevel=1, mtime=0))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", folder
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.torchvision
@pytest.mark.shared
def test_download__torchvision_fetches_what_is_then_read(
    mirror: tuple[str, Path],
    shared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    try:
        from torchvision.datasets import MNIST
    except (ImportError, RuntimeError):
        pytest.skip("torchvision is not importable beside this torch")
    address, folder = mirror
    md5 = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in FILES}
    monkeypatch.setattr(MNIST, "mirrors", [address])
    monkeypatch.setattr(MNIST, "resources", list(md5.items()))
    fetched = load_dataset("mnist", data_dir=tmp_path, download=True)
    here = load_dataset("mnist", data_dir=shared / "data")
    assert np.array_equal(fetched.train_images, here.train_images)
    assert np.array_equal(fetched.test_labels, here.test_labels)
    assert capfd.readouterr().out == ""  # stdout is for results
    # Now it is there: no server is asked any more.
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    again = load_dataset("mnist", data_dir=tmp_path, download=True)
    assert np.array_equal(again.train_labels, here.train_labels)


@pytest.mark.debian
def test_fashion_mnist__is_found_where_debian_puts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    try:
        images = load_dataset("fashion-mnist")
    except FileNotFoundError:
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    assert images.train_images.shape == (60000, 28, 28)
    assert np.bincount(images.test_labels).tolist() == [1000] * 10
