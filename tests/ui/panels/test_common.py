import numpy as np

from ctviewer.ui.panels.common import ElidedLabel, grey_image


def test_a_long_line_is_cut_and_its_tool_tip_is_whole(show):
    text = "Thorax nativ low dose, Lunge, 山田 太郎, " * 3
    label = show(ElidedLabel(text), width=120, height=20)
    assert label.minimumSizeHint().width() == 0
    assert label.toolTip() == text
    label.setText("short")
    assert label.toolTip() == ""
    label.resize(8, 20)
    assert label.toolTip() == "short"


def test_a_grey_image_owns_its_pixels():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    image = grey_image(pixels[:, ::-1])
    pixels[:] = 0
    assert (image.width(), image.height()) == (4, 3)
    assert image.pixelColor(0, 0).red() == 3
    assert image.pixelColor(0, 2).red() == 11
