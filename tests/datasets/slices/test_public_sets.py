from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctviewer.core.errors import DecodeError, InputError
from ctviewer.core.slices import GREY, HU
from ctviewer.datasets.png import png_bytes
from ctviewer.datasets.slices import open_slice_source, samples
from ctviewer.datasets.slices.samples import windowed_grey


def grey_of(phantom, index):
    return windowed_grey(phantom.hu[index]) / np.float32(255)


def test_cncb(tmp_path, phantoms):
    samples.write_cncb(tmp_path, phantoms[1:])
    source = open_slice_source("cncb", tmp_path, split="train")
    assert source.ids() == ("0", "1")
    assert source.patient("1") == "cncb:1"
    assert source.classes("1") == ()
    assert source.split("1") == "train"
    got = source.load_slices("1")
    infected = np.flatnonzero(phantoms[2].infected_slices)
    assert sorted(got.names, key=int) == [str(index) for index in infected]
    assert got.label_classes == ("background", "lung", "ground glass", "consolidation")
    assert got.unit == GREY
    assert got.complete.all()
    for place, name in enumerate(got.names):
        np.testing.assert_array_equal(got.labels[place], phantoms[2].labels[int(name)])
        np.testing.assert_allclose(got.pixels[place], grey_of(phantoms[2], int(name)), atol=0.06)  # JPEG
    partial = open_slice_source("cncb", tmp_path, complete="no")
    assert not partial.load_slices("0").complete.any()


def test_pictures_that_were_cut_off_are_refused_never_filled_up(tmp_path, phantoms):
    samples.write_cncb(tmp_path, phantoms[2:])
    source = open_slice_source("cncb", tmp_path)
    (picture, *_) = source.paths("0")
    whole = picture.read_bytes()
    for share in (0.5, 0.9, 0.98):
        picture.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DecodeError, match=rf"{picture.name} cannot be opened: its pixels are damaged"):
            source.load_slices("0")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name")
def test_a_pipe_is_not_waited_on(tmp_path, phantoms):
    samples.write_cncb(tmp_path, phantoms[2:])
    source = open_slice_source("cncb", tmp_path)
    (picture, *_) = source.paths("0")
    picture.unlink()
    os.mkfifo(picture)
    with pytest.raises(InputError, match="is no picture but a folder, a device or a pipe"):
        source.load_slices("0")


@pytest.mark.parametrize("name", ["cncb", "lidc", "covid19_ct_seg"])
def test_a_list_is_not_passed_over_where_a_format_has_none(tmp_path, name):
    with pytest.raises(InputError, match=rf"of the format '{name}' are taken as they lie .*test\.txt cannot list them"):
        open_slice_source(name, tmp_path, table=tmp_path / "test.txt")


def test_cncb_as_the_archive_is_published(tmp_path, phantoms):
    for kind, ending in (("image", "jpg"), ("mask", "png")):
        place = tmp_path / kind / "17" / f"3.{ending}"
        place.parent.mkdir(parents=True)
        values = windowed_grey(phantoms[2].hu[5]) if kind == "image" else phantoms[2].labels[5]
        Image.fromarray(values).save(place)
    source = open_slice_source("cncb", tmp_path)
    assert source.ids() == ("17",)
    np.testing.assert_array_equal(source.load_slices("17").labels[0], phantoms[2].labels[5])


def test_labels_go_by_value_never_by_rank(tmp_path, phantoms):
    """Consolidation without ground glass stays 3; a palette's colours mean nothing; 4 is refused."""
    samples.write_cncb(tmp_path, phantoms[2:])
    mask = sorted((tmp_path / "masks").iterdir())[0]
    labels = np.zeros((64, 64), np.uint8)
    labels[20:30, 20:30] = 3
    picture = Image.fromarray(labels, "P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 9, 9, 9])
    picture.save(mask)
    source = open_slice_source("cncb", tmp_path)
    got = source.load_slices("0")
    at = got.names.index(mask.stem.partition("_")[2])
    np.testing.assert_array_equal(got.labels[at], labels)
    labels[0, 0] = 4
    mask.write_bytes(png_bytes(labels))
    with pytest.raises(InputError, match=r"_\d+\.png holds the value 4, and its labels are 0, 1, 2, 3\."):
        source.load_slices("0")


def test_covid19_ct_seg(tmp_path, phantoms):
    samples.write_covid19_ct_seg(tmp_path, phantoms[1:], slices=3)
    source = open_slice_source("covid19_ct_seg", tmp_path)
    assert source.ids() == ("patient-01", "patient-02")
    got = source.load_slices("patient-02")
    assert got.names == ("0159", "0160", "0161")
    assert got.label_classes == ("background", "lung", "infection")
    truth = phantoms[2].labels[np.flatnonzero(phantoms[2].infected_slices)[:3]]
    np.testing.assert_array_equal(got.labels, np.minimum(truth, 2))


def test_covid19_ct_seg_real(shared_data):
    source = open_slice_source("covid19_ct_seg", shared_data / "covid19_ct_seg")
    assert len(source.ids()) == 10
    counts = [source.slice_count(scan) for scan in source.ids()]
    assert counts == list(np.diff([0, 159, 279, 397, 510, 626, 696, 789, 970, 1081, 1247]))
    got = source.load_slices("patient-06")
    folder = shared_data / "covid19_ct_seg"
    for place in (0, 33, 69):
        infection = np.asarray(Image.open(folder / "covid" / f"{got.names[place]}.png")) > 0
        lungs = np.asarray(Image.open(folder / "lungs" / f"{got.names[place]}.png")) > 0
        np.testing.assert_array_equal(got.labels[place] == 2, infection)
        np.testing.assert_array_equal(got.labels[place] > 0, lungs | infection)
    assert got.pixels.max() <= 1.0


@pytest.mark.parametrize("version", ["1", "2A", "3A"])
def test_covidx(tmp_path, phantoms, version):
    samples.write_covidx(tmp_path, phantoms, version)
    source = open_slice_source("covidx", tmp_path)
    assert {scan: source.split(scan) for scan in source.ids()} == {
        "Normal_0_1000": "train",
        "CP_1_1001": "val",
        "NCP_2_1002": "test",
    }
    assert source.patient("NCP_2_1002") == "NCP_2"
    assert source.classes("CP_1_1001") == ("common pneumonia",)
    got = source.load_slices("NCP_2_1002")
    infected = np.flatnonzero(phantoms[2].infected_slices)
    assert got.names == tuple(f"NCP_2_1002_{index:04d}" for index in infected)
    assert set(got.image_classes) == {"COVID-19"}
    assert got.labels is None
    np.testing.assert_allclose(got.pixels[0], grey_of(phantoms[2], infected[0]), atol=1e-6)


def write_list(folder: Path, *lines: str, name="train_COVIDx_CT-2A.txt"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(f"{line}\n" for line in lines))


NAMES = {
    "NCP_96_1328_0032": ("NCP_96_1328", "NCP_96"),
    "volume-covid19-A-0001-0012": ("volume-covid19-A-0001", "volume-covid19-A-0001"),
    "radiopaedia-10-85902-1-0011": ("radiopaedia-10-85902-1", "radiopaedia-10"),
    "LIDC-IDRI-0003-1.3.6.1.4.1.14519-0012": ("LIDC-IDRI-0003-1.3.6.1.4.1.14519", "LIDC-IDRI-0003"),
    "137covid_patient15_SR_3_IM00031": ("137covid_patient15_SR_3", "137covid_patient15"),
    "STOIC-10003-0077": ("STOIC-10003", "STOIC-10003"),
    "study_0255-0012": ("study_0255", "study_0255"),
}


@pytest.mark.parametrize("stem", NAMES)
def test_whose_a_slice_of_covidx_is(tmp_path, stem):
    (tmp_path / f"{stem}.png").write_bytes(png_bytes(np.zeros((8, 8), np.uint8)))
    write_list(tmp_path, f"{stem}.png 2 0 0 8 8")
    source = open_slice_source("covidx", tmp_path)
    assert (source.ids(), source.patient(source.ids()[0])) == ((NAMES[stem][0],), NAMES[stem][1])


def test_metadata_of_covidx_names_the_patients(tmp_path):
    for scan in ("case-7-1", "case-7-2"):
        (tmp_path / f"{scan}-0001.png").write_bytes(png_bytes(np.zeros((8, 8), np.uint8)))
    write_list(tmp_path, "case-7-1-0001.png 0 0 0 8 8", "case-7-2-0001.png 0 0 0 8 8")
    (tmp_path / "metadata.csv").write_text("patient id,source\ncase-7,somewhere\ncase,other\n")
    source = open_slice_source("covidx", tmp_path)
    assert [source.patient(scan) for scan in source.ids()] == ["case-7", "case-7"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a_1_2_3.png 2", r"train_COVIDx_CT-2A.txt, line 2: it is not of the form file class xmin"),
        ("a_1_2_3.png 3 0 0 8 8", "line 2: the class 3 is none of 0, 1 and 2"),
        ("a_1_2_3.png 1 5 0 5 8", "line 2: the box 5 0 5 8 is empty"),
        ("b.png 1 0 0 8 8", "line 2: there is no b.png in"),
        ("NCP_1_1_1.png 2 0 0 8 8", "line 2: NCP_1_1_1.png is listed twice"),
    ],
)
def test_lists_of_covidx_that_cannot_be_used(tmp_path, line, told):
    for name in ("NCP_1_1_1.png", "a_1_2_3.png"):
        (tmp_path / name).write_bytes(png_bytes(np.zeros((8, 8), np.uint8)))
    write_list(tmp_path, "NCP_1_1_1.png 2 0 0 8 8", line)
    with pytest.raises(InputError, match=told):
        open_slice_source("covidx", tmp_path)


def test_lists_of_several_versions_are_not_mixed(tmp_path, phantoms):
    samples.write_covidx(tmp_path, phantoms, "2A")
    write_list(tmp_path, name="val_COVIDx_CT-2B.txt")
    with pytest.raises(InputError, match="lists of several versions"):
        open_slice_source("covidx", tmp_path)
    one = open_slice_source("covidx", tmp_path, tmp_path / "test_COVIDx_CT-2A.txt")
    assert [one.split(scan) for scan in one.ids()] == ["test"]
    held = open_slice_source("covidx", tmp_path, tmp_path / "train_COVIDx_CT-2A.txt", split="external:holdout")
    assert [held.split(scan) for scan in held.ids()] == ["external:holdout"]


def test_a_box_outside_its_picture_tells_that_the_list_is_of_other_files(tmp_path):
    (tmp_path / "NCP_1_1_1.png").write_bytes(png_bytes(np.zeros((8, 8), np.uint8)))
    write_list(tmp_path, "NCP_1_1_1.png 2 0 0 9 8")
    source = open_slice_source("covidx", tmp_path)
    with pytest.raises(InputError, match=r"is 8 x 8 pixels, and the list gives it a box up to 9, 8"):
        source.load_slices("NCP_1_1")


def test_prefixed(tmp_path, phantoms):
    samples.write_prefixed(tmp_path / "all", phantoms)
    source = open_slice_source("prefixed", tmp_path / "all", values="window=-600/1500")
    assert sorted(source.ids()) == ["CP_1_1001", "NCP_2_1002", "Normal_0_1000"]
    got = source.load_slices("Normal_0_1000")
    assert got.unit == HU
    np.testing.assert_allclose(got.pixels[3], np.clip(phantoms[0].hu[3], -1350, 150), atol=3.0)  # 1500 HU in 255 steps
    assert set(got.image_classes) == {"control"}
    some = tmp_path / "some.txt"
    some.write_text("NCP_2_1002_0005.png\n")
    assert open_slice_source("prefixed", tmp_path / "all", some).ids() == ("NCP_2_1002",)


def test_what_is_no_picture_of_a_slice_is_refused(tmp_path):
    def refused(name, data, text, error=InputError):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "NCP_1_1_1.png").write_bytes(data)
        source = open_slice_source("prefixed", folder)
        with pytest.raises(error, match=text):
            source.load_slices("NCP_1_1")

    colour = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)).save(colour, "PNG")
    refused("colour", colour.getvalue(), "NCP_1_1_1.png is a colour picture")
    refused(
        "damaged", png_bytes(np.ones((8, 8), np.uint8))[:40], "NCP_1_1_1.png cannot be opened: its pixels", DecodeError
    )
    refused("empty", b"", "NCP_1_1_1.png cannot be opened", DecodeError)


def test_pictures_of_one_scan_have_one_size(tmp_path):
    for number, size in (("1", 8), ("2", 9)):
        (tmp_path / f"NCP_1_1_{number}.png").write_bytes(png_bytes(np.zeros((size, size), np.uint8)))
    with pytest.raises(InputError, match=r"NCP_1_1_2.png is 9 x 9 pixels, and NCP_1_1_1.png of the same scan 8 x 8"):
        open_slice_source("prefixed", tmp_path).load_slices("NCP_1_1")


@pytest.mark.parametrize("name", ["scan.png", "NCP_1_1.png"])
def test_a_name_that_says_no_class_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match="is not named <class>_<patient>_<scan>_<slice>"):
        open_slice_source("prefixed", tmp_path)


def test_unknown_formats_and_folders(tmp_path):
    with pytest.raises(InputError, match="The format 'coco' of labelled slices is none of"):
        open_slice_source("coco", tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        open_slice_source("cncb", tmp_path / "none")
    with pytest.raises(InputError, match="has no folder imgs or images or image with pictures"):
        open_slice_source("cncb", tmp_path)
    with pytest.raises(InputError, match="stated by yes or no, not by 'maybe'"):
        open_slice_source("cncb", tmp_path, complete="maybe")


def test_a_class_of_its_own_keeps_its_name(tmp_path):
    (tmp_path / "Fibrosis_1_1_1.png").write_bytes(png_bytes(np.zeros((8, 8), np.uint8)))
    assert open_slice_source("prefixed", tmp_path).classes("Fibrosis_1_1") == ("Fibrosis",)


def test_linked_folders_are_gone_through_once(tmp_path, phantoms):
    for kind, ending in (("image", "jpg"), ("mask", "png")):
        place = tmp_path / "elsewhere" / kind / "17" / f"3.{ending}"
        place.parent.mkdir(parents=True)
        Image.fromarray(phantoms[2].labels[5]).save(place)
        (tmp_path / "set" / kind).mkdir(parents=True)
        try:
            (tmp_path / "set" / kind / "17").symlink_to(place.parent, target_is_directory=True)
            (tmp_path / "set" / kind / "round").symlink_to(tmp_path / "set" / kind, target_is_directory=True)
        except OSError:
            pytest.skip("no links to folders here")
    assert open_slice_source("cncb", tmp_path / "set").ids() == ("17",)
