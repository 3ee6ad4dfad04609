"""What all tests share: the data beside the checkout, and the rule that CI skips nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test is a failure")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not SHARED.is_dir():
        skip = pytest.mark.skip(reason="needs the shared data beside the checkout")
        for item in items:
            if "shared" in item.keywords:
                item.add_marker(skip)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter is not None:
        n_skipped = len(reporter.stats.get("skipped", []))
        if n_skipped and exitstatus == pytest.ExitCode.OK:
            reporter.write_line(f"{n_skipped} tests were skipped, and none may be (--no-skips)")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def _said_already() -> None:
    """A test that asks for silence on stderr must not be the first to compile a kernel."""
    from bipnet_kernels import _jit

    _jit._tell()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data; tests that use it carry the mark ``shared``."""
    return SHARED
