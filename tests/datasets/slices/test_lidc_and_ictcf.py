from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ctviewer.core.errors import InputError
from ctviewer.datasets.png import png_bytes
from ctviewer.datasets.slices import open_slice_source, samples
from ctviewer.datasets.slices.lidc_xml import Contour, read_message
from ctviewer.datasets.slices.series_samples import disc_border, lidc_place


def strictly_inside(points, shape):
    """By an even-odd ray for each pixel, the border left out: the independent reference."""
    out = np.zeros(shape, bool)
    ends = [*points, points[0]]
    for r in range(shape[0]):
        for c in range(shape[1]):
            crossings = 0
            for (x1, y1), (x2, y2) in pairwise(ends):
                if (y1 > r) != (y2 > r) and c < x1 + (r - y1) * (x2 - x1) / (y2 - y1):
                    crossings += 1
            out[r, c] = crossings % 2 == 1
    for x, y in points:
        out[y, x] = False
    return out


def contour(points, included=True):
    return Contour(0, 0, "1.2", None, included, tuple(points))


def test_a_contour_encloses_what_lies_strictly_inside():
    points = disc_border(14, 16, 7)
    np.testing.assert_array_equal(contour(points).inside((32, 32)), strictly_inside(points, (32, 32)))
    bent = [(5, 5), (20, 5), (20, 9), (9, 9), (9, 20), (5, 20)]  # only its corners are given
    wanted = np.zeros((32, 32), bool)
    wanted[6:9, 6:20] = wanted[6:20, 6:9] = True
    np.testing.assert_array_equal(contour(bent).inside((32, 32)), wanted)
    assert not contour([(3, 3)]).inside((8, 8)).any()
    with pytest.raises(ValueError, match="leaves the image"):
        contour(points).inside((16, 16))


def test_nodules_are_what_half_of_the_readers_outline(tmp_path, phantoms):
    samples.SAMPLES["lidc"](tmp_path, phantoms[2:])
    source = open_slice_source("lidc", tmp_path)
    assert source.ids() == ("LIDC-IDRI-0001/000",)
    assert source.patient(source.ids()[0]) == "LIDC-IDRI-0001"
    assert source.classes(source.ids()[0]) == ()
    got = source.load_slices(source.ids()[0])
    _, row, column = lidc_place(phantoms[2])
    disc = strictly_inside(disc_border(row, column, max(4, 64 // 12)), (64, 64))
    assert got.label_classes == ("background", "nodule")
    assert len(got.names) == 9  # the slice with nothing but an open mark is known to be neither
    assert got.complete.all()
    marked = [place for place in range(9) if got.labels[place].any()]
    for place in marked:
        np.testing.assert_array_equal(got.labels[place].astype(bool), disc)
    assert len(marked) == 3
    np.testing.assert_allclose(got.pixels, phantoms[2].hu[::-1][:9])  # head first; the open mark is on the lowest slice
    partial = open_slice_source("lidc", tmp_path, complete="no").load_slices(source.ids()[0])
    assert len(partial.names) == 3
    assert not partial.complete.any()


def test_lidc_real(shared_data):
    source = open_slice_source("lidc", shared_data / "lidc_0003")
    got = source.load_slices("72")
    message = read_message(shared_data / "lidc_0003" / "72.xml")
    for place, name in enumerate(got.names):
        votes = np.zeros((512, 512), int)
        for reader in range(4):
            seen = np.zeros((512, 512), bool)
            for one in message.contours:
                if one.reader == reader and one.image == name and len(one.points) > 2:
                    left, top = np.min(one.points, axis=0)
                    size = np.ptp(one.points, axis=0) + 1
                    moved = [(x - left, y - top) for x, y in one.points]
                    seen[top : top + size[1], left : left + size[0]] |= strictly_inside(moved, (size[1], size[0]))
            votes += seen
        np.testing.assert_array_equal(got.labels[place].astype(bool), votes >= 2)
    assert got.labels.any(axis=(1, 2)).sum() == 7


def test_contours_that_lie_elsewhere_than_their_image_are_refused(tmp_path, phantoms):
    samples.SAMPLES["lidc"](tmp_path, phantoms[2:])
    path = tmp_path / "LIDC-IDRI-0001" / "000.xml"
    text = path.read_text()
    at = text.index("<imageZposition>")
    end = text.index("</imageZposition>")
    path.write_text(f"{text[:at]}<imageZposition>999{text[end:]}")
    with pytest.raises(InputError, match="says z 999 mm, and its image lies at"):
        open_slice_source("lidc", tmp_path).load_slices("LIDC-IDRI-0001/000")
    path.write_text(text.replace("<imageSOP_UID>", "<imageSOP_UID>9"))
    with pytest.raises(InputError, match="are of images that its series does not have"):
        open_slice_source("lidc", tmp_path).load_slices("LIDC-IDRI-0001/000")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<LidcReadMessage>", "000.xml is damaged: it is no XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><LidcReadMessage/>', "it is too large, defines entities or is no UTF-8"),
        ("<LidcReadMessage/>", "it names no series or no reader"),
        ("<IdriReadMessage/>", "holds no contours of LIDC-IDRI"),
    ],
)
def test_xml_that_cannot_be_used(tmp_path, text, told):
    (tmp_path / "000.xml").write_text(text)
    with pytest.raises(InputError, match=told):
        open_slice_source("lidc", tmp_path)


def test_entities_in_another_encoding_are_not_expanded(tmp_path):
    text = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "c">]><LidcReadMessage>&b;</LidcReadMessage>'
    (tmp_path / "000.xml").write_bytes(text.encode("utf-16"))
    with pytest.raises(InputError, match="defines entities or is no UTF-8"):
        open_slice_source("lidc", tmp_path)


def test_what_is_cut_out_of_a_nodule(tmp_path, phantoms):
    samples.SAMPLES["lidc"](tmp_path, phantoms[2:])
    message = read_message(tmp_path / "LIDC-IDRI-0001" / "000.xml")
    assert message.readers == 4
    from ctviewer.datasets.slices.lidc import _regions

    outer, hole = contour(disc_border(30, 30, 12)), contour(disc_border(30, 30, 5), included=False)
    region = _regions([hole, outer], (64, 64))[0, 0]
    np.testing.assert_array_equal(region, outer.inside((64, 64)) & ~hole.inside((64, 64)))


def test_ictcf(tmp_path, phantoms):
    samples.SAMPLES["ictcf"](tmp_path, phantoms)
    source = open_slice_source("ictcf", tmp_path / "images", tmp_path / "test.txt")
    classes = {source.classes(scan)[0] for scan in source.ids()}
    assert classes == {"control", "COVID-19"}
    assert {source.split(scan) for scan in source.ids()} == {"test"}
    assert len({source.patient(scan) for scan in source.ids()}) == len(source.ids())
    assert not source.patients_known
    infected = int(np.flatnonzero(phantoms[2].infected_slices)[0])
    got = source.load_slices(f"pCT1{infected:03d}")
    assert got.image_classes == ("COVID-19",)
    np.testing.assert_allclose(got.pixels[0], samples.windowed_grey(phantoms[2].hu[infected]) / 255, atol=0.06)


def test_lists_and_names_of_ictcf(tmp_path):
    for name in ("0_nCT1.jpg", "2_pCT2.jpg", "pCT3.jpg", "NiCT4.jpg"):
        (tmp_path / name).write_bytes(png_bytes(np.zeros((8, 8), np.uint8)))
    assert open_slice_source("ictcf", tmp_path).ids() == ("nCT1", "pCT2", "pCT3")
    table = tmp_path / "list.txt"
    table.write_text("2_pCT2.jpg 2\npCT3.jpg\n")
    source = open_slice_source("ictcf", tmp_path, table, split="train")
    assert [source.split(scan) for scan in source.ids()] == ["train", "train"]
    for line, told in {
        "2_pCT2.jpg 0": "the class 0 is not that of 2_pCT2.jpg",
        "NiCT4.jpg": "is not named as iCTCF's slices are",
        "2_pCT9.jpg": "there is no 2_pCT9.jpg in",
        "pCT3.jpg\npCT3.jpg": "line 2: the slice pCT3 is there twice",
    }.items():
        table.write_text(f"{line}\n")
        with pytest.raises(InputError, match=rf"list\.txt, line \d: .*{told}|list\.txt, {told}"):
            open_slice_source("ictcf", tmp_path, table)
    (tmp_path / "2_nCT7.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"2_nCT7\.jpg says two classes, 2 and 0"):
        open_slice_source("ictcf", tmp_path)
