import pytest

from ctviewer.core.kernels import is_lung_kernel, is_sharp_kernel


@pytest.mark.parametrize(
    "kernel", ["B60f", "B80s", "Br59d", "Bl57d", "I70f\\3", "LUNG", "FC51", "FC86", "YA", "L", "PULMO"]
)
def test_kernels_for_lungs_are_sharp(kernel):
    assert is_lung_kernel(kernel) and is_sharp_kernel(kernel)


@pytest.mark.parametrize("kernel", ["BONE", "BONEPLUS", "EDGE", "Hr64f", "Ur73", "FC30", "FC81", "D", "YE"])
def test_kernels_for_bone_are_sharp(kernel):
    assert is_sharp_kernel(kernel)


@pytest.mark.parametrize(
    "kernel", ["", "STANDARD", "SOFT", "B30f", "B40f", "Br36", "I31f", "FC08", "FC18", "C", "B", "YB1"]
)
def test_kernels_for_soft_tissue_are_not(kernel):
    assert not is_sharp_kernel(kernel)
