"""Union-find and masks that share a pixel, against the definitions."""

import numpy as np

from ctviewer.core.disjoint_sets import DisjointSets
from ctviewer.core.masks import BoxMask, overlap


def test_pairs_make_groups_by_their_first_member():
    sets = DisjointSets(range(6))
    for a, b in ((4, 1), (5, 4), (0, 3), (3, 0)):
        sets.join(a, b)
    assert sets.groups() == [[0, 3], [1, 4, 5], [2]] and sets.root(5) == 1
    sets.add(9)
    assert sets.groups()[-1] == [9]


def test_masks_overlap_where_a_pixel_is_in_both():
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(200):
        a, b = rng.random((2, 6, 7)) > 0.85
        if not (a.any() and b.any()):
            continue
        expected = bool((a & b).any())
        assert overlap(BoxMask.from_array(a), BoxMask.from_array(b)) == expected
        seen.add(expected)
    assert seen == {True, False}
