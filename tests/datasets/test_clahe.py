from __future__ import annotations

import numpy as np
import pytest

from ctviewer.datasets.clahe import Clahe, apply, undo

# OpenCV 5.0.0: cv2.createCLAHE(clip, (tiles, tiles)).apply(pattern(rows, columns)).tobytes().hex()
OPENCV = {
    (16, 16, 6.5, 2): (
        "080c202c38424b4a4ac4c0c6d3e33848142c446078828d8e0c8e89909babcbe734587ca3c71a324852dcf8636c8fabd7"
        "6087bbe350708a9624aec3ec5480a3d397cf3c74b7ca45627c92a7caff70a3dfa0175a9c144e7c0c34cd6b87b33f76af"
        "206cbd3c890e4a7a1abcf17eba498ad67cd062ba4790215c82b3eb82ca5caa48dd7cd776cf65a5497ab1f092e77edf78"
        "91309e3ead48974278baf8b0fcaf57bc118128a250085b155a96e69e46b35ecf964e0c883aa75d1e69b472ca7d41b866"
        "6424af7834a96c2f7ed09a5bc79350d344d3a7743cb8804a20f4cfa55cebbf8f30c7a78350249d71489f75eac39f6cff"
        "af9378543416077352b688663cd7bba3"
    ),
}


def pattern(rows, columns):
    r, c = np.mgrid[:rows, :columns]
    return ((r * r * 3 + c * 7 + r * c * 5) % 97 + (c > columns // 2) * 120 + (r % 5) * 6).astype(np.uint8)


def plain_maps(picture, clip, tiles):
    """Zuiderveld's maps, one tile and one level after the other."""
    rows, columns = picture.shape[0] // tiles, picture.shape[1] // tiles
    area = rows * columns
    limit = max(int(clip * area / 256), 1)
    maps = {}
    for i in range(tiles):
        for j in range(tiles):
            counts = [0] * 256
            for value in picture[i * rows : (i + 1) * rows, j * columns : (j + 1) * columns].ravel():
                counts[value] += 1
            excess = sum(max(count - limit, 0) for count in counts)
            counts = [min(count, limit) + excess // 256 for count in counts]
            left = excess % 256
            level, step = 0, max(256 // left, 1) if left else 1
            while level < 256 and left > 0:
                counts[level] += 1
                level, left = level + step, left - 1
            total, row = 0, []
            for count in counts:
                total += count
                row.append(min(max(round(total * 255 / area), 0), 255))
            maps[i, j] = row
    return maps


def plain_apply(picture, clip, tiles):
    rows, columns = picture.shape[0] // tiles, picture.shape[1] // tiles
    maps, out = plain_maps(picture, clip, tiles), np.zeros(picture.shape)
    for r in range(picture.shape[0]):
        for c in range(picture.shape[1]):
            y, x = r / rows - 0.5, c / columns - 0.5
            top, left = int(np.floor(y)), int(np.floor(x))
            for i, down in ((top, 1 - (y - top)), (top + 1, y - top)):
                for j, along in ((left, 1 - (x - left)), (left + 1, x - left)):
                    tile = min(max(i, 0), tiles - 1), min(max(j, 0), tiles - 1)
                    out[r, c] += down * along * maps[tile][picture[r, c]]
    return out


@pytest.mark.parametrize("case", OPENCV)
def test_equalises_as_opencv_does(case):
    rows, columns, clip, tiles = case
    wanted = np.frombuffer(bytes.fromhex(OPENCV[case]), np.uint8).reshape(rows, columns)
    np.testing.assert_array_equal(apply(pattern(rows, columns), Clahe(clip, tiles)), wanted)


@pytest.mark.parametrize(("rows", "columns", "clip", "tiles"), [(24, 16, 1.0, 4), (16, 32, 40.0, 2), (24, 24, 3.0, 8)])
def test_equalises_as_a_plain_loop_does(rows, columns, clip, tiles):
    picture = pattern(rows, columns)
    got = apply(picture, Clahe(clip, tiles)).astype(float)
    assert np.abs(got - plain_apply(picture, clip, tiles)).max() <= 0.5 + 1e-4  # rounded, whichever way a tie goes


def smooth(side=128):
    """Regions with a gradient and some noise, as in a chest."""
    rng = np.random.default_rng(5)
    r, c = np.mgrid[:side, :side] / side
    picture = np.where((r - 0.5) ** 2 + (c - 0.5) ** 2 < 0.16, 150 + 40 * r, 12.0)
    picture = np.where((r - 0.5) ** 2 * 2 + (c - 0.35) ** 2 * 6 < 0.05, 50 + 30 * c, picture)
    return np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def test_undoing_gives_the_picture_back_nearly():
    picture, settings = smooth(), Clahe(6.5, 4)
    equalised = apply(picture, settings)
    found = undo(equalised, settings, rounds=40)
    before = np.abs(equalised.astype(int) - picture).mean()
    after = np.abs(found.astype(int) - picture).mean()
    assert before > 15 and after < 6
    again = apply(found, settings)  # what was found becomes the same picture
    assert np.abs(again.astype(int) - equalised).mean() < 2


def test_more_rounds_come_nearer():
    picture, settings = smooth(64), Clahe(6.5, 2)
    equalised = apply(picture, settings)
    errors = [np.abs(undo(equalised, settings, n).astype(int) - picture).mean() for n in (1, 4, 30)]
    assert errors[0] > errors[1] > errors[2]
    np.testing.assert_array_equal(undo(equalised, settings, 0), equalised)


def test_tiles_must_divide_the_sides():
    with pytest.raises(ValueError, match="8 tiles a side do not divide a picture of 20 x 16"):
        apply(np.zeros((20, 16), np.uint8), Clahe(2.0))
    with pytest.raises(ValueError, match="do not divide"):
        undo(np.zeros((16, 20), np.uint8), Clahe(2.0))
