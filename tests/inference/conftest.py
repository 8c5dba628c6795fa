import pytest
import torch

from ctviewer.inference import NetCache


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def cache():
    """Nets built once for all tests: they are never changed."""
    return NetCache()
