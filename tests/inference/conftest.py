import pytest

from ctviewer.inference import NetCache


@pytest.fixture(scope="session")
def cache():
    """Nets built once for all tests: they are never changed."""
    return NetCache()
