import dataclasses
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctviewer.core.errors import InputError
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT
from ctviewer.training.config import FORMATS, DataConfig, ModelConfig, RunConfig, SliceSet
from ctviewer.training.config_check import check, require_paths
from ctviewer.training.config_example import example_text
from ctviewer.training.config_file import from_table, read_config, to_text, write_config
from ctviewer.training.recipes import RECIPES


def written(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(tmp_path, text):
    with pytest.raises(InputError) as caught:
        read_config(written(tmp_path, text))
    assert str(caught.value).startswith(str(tmp_path / "run.toml"))
    return str(caught.value)


# text that any path or class may hold, but for what no UTF-8 file can
words = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
shares = st.floats(0.001, 0.999)
whole = st.integers(max_value=2**31 - 1)
paths = words.map(lambda text: str(Path("/data").absolute() / f"x{text}".replace("\0", "")))


def recipes_of(task):
    return st.builds(
        lambda recipe, rate, epochs: dataclasses.replace(recipe, rate=rate, epochs=epochs),
        st.sampled_from([recipe for recipe in RECIPES.values() if recipe.task == task]),
        st.floats(1e-300, 1e300), st.integers(1, 10**6),
    )  # fmt: skip


configs = st.builds(
    RunConfig,
    data=st.builds(
        DataConfig,
        folder=paths,
        values=words,
        prevalence=st.dictionaries(words, shares, max_size=3),
        folds=st.integers(3, 9),
        shares=st.sampled_from([(0.7, 0.15, 0.15), (1.0, 0.0, 0.0), (0.5, 0.25, 0.25)]),
    ),
    model=st.builds(
        ModelConfig,
        name=st.from_regex(r"[a-z0-9][a-z0-9-]{0,9}", fullmatch=True) | st.just(""),
        title=st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12),
        classes=st.lists(words.filter(bool), unique=True, max_size=4).map(tuple),
        encoder_options=st.dictionaries(words, whole | words, max_size=3),
        aggregator_options=st.dictionaries(
            words, whole | words | st.booleans() | st.floats(allow_nan=False, allow_infinity=False), max_size=3
        ),
        window=st.tuples(st.floats(-1e4, 1e4), st.floats(1e-6, 1e300)),
    ),
    recipe=recipes_of(CLASSIFIER),
    seed=st.integers(0, 2**63 - 1),
    checkpoint_minutes=st.floats(0, 1e6),
)  # fmt: skip
sets = st.builds(
    SliceSet,
    format=st.sampled_from(FORMATS),
    folder=paths,
    table=st.just("") | paths,
    split=st.sampled_from(["", "train", "val", "test", "train-only"]) | words.filter(bool).map("external:{}".format),
    complete=st.sampled_from(["", "yes", "no"]),
    values=words,
    own_patients=st.booleans(),
)
merges = st.dictionaries(words.filter(bool).map("{} of a set".format), words.map("learned {}".format) | st.just(""), max_size=3)  # fmt: skip
slice_configs = st.builds(
    RunConfig,
    data=st.just(DataConfig("")),
    model=st.builds(
        ModelConfig,
        size=st.just(512),
        crop=st.just(512),
        classes=st.just(()) | st.just(("background", "lung", "infection")),
        image_classes=st.lists(words.filter(bool), unique=True, min_size=2, max_size=4).map(tuple) | st.just(()),
        merge=merges,
        net=st.dictionaries(words, whole | words | st.booleans() | st.lists(whole, max_size=3).map(tuple), max_size=3),
    ),
    recipe=recipes_of(ONE_SHOT),
    task=st.just(ONE_SHOT),
    lesions=st.lists(sets, min_size=1, max_size=3).map(tuple),
    images=st.lists(sets, max_size=3).map(tuple),
)


@given(configs | slice_configs)
def test_what_the_program_writes_is_read_back_equal(tmp_path_factory, config):
    path = tmp_path_factory.mktemp("config") / "config.toml"
    write_config(path, config)
    assert read_config(path) == config
    assert read_config(path).digest() == config.digest()


def test_a_recipe_of_another_version_is_kept_with_all_its_values(tmp_path):
    own = dataclasses.replace(RECIPES["paper"], name="ours", title="Ours", explanation="As we do.", epochs=3)
    config = RunConfig(DataConfig(str(tmp_path)), recipe=own)
    write_config(tmp_path / "run.toml", config)
    assert read_config(tmp_path / "run.toml").recipe == own
    text = to_text(RunConfig(DataConfig("x")))
    known = {field.name for field in dataclasses.fields(own)} - {"title", "explanation"}
    assert all(f"\n{name} = " in text.partition("[recipe]")[2] for name in known)


NOT_OF = {
    CLASSIFIER: {"image_classes", "merge", "net", "lesions", "images", "table", "complete", "split", "own_patients", "format",
                 "losses", "copy", "smoothing", "per_class"},
    ONE_SHOT: {"labels", "spacing", "order", "splitting", "prevalence", "encoder_options", "aggregator", "lesions", "images",
               "aggregator_options", "head", "long_study", "every", "supervision", "calibrate"},
}  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_the_example_holds_every_value_at_its_default(tmp_path, name):
    text, recipe = example_text(name), RECIPES[name]
    expected = RunConfig(DataConfig(str(tmp_path / "studies")), recipe=recipe)
    if recipe.task == ONE_SHOT:
        lesions, images = (SliceSet("studies", str(tmp_path / kind)) for kind in ("lesions", "images"))
        model = ModelConfig(size=512, crop=512)
        expected = RunConfig(DataConfig(""), model, recipe, task=ONE_SHOT, lesions=(lesions,), images=(images,))
    assert read_config(written(tmp_path, text)) == expected
    for kind in (RunConfig, DataConfig, ModelConfig, SliceSet):
        names = {field.name for field in dataclasses.fields(kind)} - {"data", "model", "recipe"} - NOT_OF[recipe.task]
        assert {line.partition(" =")[0] for line in text.splitlines() if " = " in line} >= names
    told = {line.partition(" =")[0] for line in text.partition("[recipe]")[2].splitlines() if " = " in line}
    assert told == {field.name for field in dataclasses.fields(recipe)} - {"title", "explanation", "task"} - NOT_OF[recipe.task]  # fmt: skip
    plain = ("schema", "folds", "rep", "crop", "enc", "agg")
    lines = text.partition("[[images]]")[0].splitlines() + text.partition("[data]")[2].splitlines()
    assert all("#" in line for line in lines if " = " in line and not line.startswith(plain))
    assert all(sentence in text.replace("\n# ", " ") for sentence in recipe.explanation.split(". ")[:1])
    with pytest.raises(InputError, match="'best' is not known; there are tuned"):
        example_text("best")


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "run.toml").write_text(
        '[data]\nfolder = "studies"\nlabels = "tables/a.csv"\n[model]\nweights = "/w.pth"'
    )
    config = read_config(tmp_path / "run.toml")
    assert config.data.folder == str(tmp_path / "studies")
    assert config.data.labels == str(tmp_path / "tables" / "a.csv")
    assert config.model.weights == str(Path("/w.pth").absolute())
    assert read_config(Path("..") / "run.toml").data.folder.endswith("studies")


def test_a_recipe_by_name_or_by_what_differs(tmp_path):
    assert read_config(written(tmp_path, 'recipe = "paper"\n[data]\nfolder = "x"')).recipe == RECIPES["paper"]
    told = read_config(written(tmp_path, '[data]\nfolder = "x"\n[recipe]\nname = "paper"\nepochs = 6\nclip = 1'))
    assert told.recipe == dataclasses.replace(RECIPES["paper"], epochs=6, clip=1.0)
    assert isinstance(told.recipe.clip, float)
    assert read_config(written(tmp_path, '[data]\nfolder = "x"\n[recipe]\nepochs = 6')).recipe.name == "tuned"


def test_a_one_shot_run_is_told_by_its_task_or_its_recipe(tmp_path):
    lesions = '[[lesions]]\nformat = "cncb"\nfolder = "a"\n'
    both = lesions + '[[lesions]]\nformat = "lidc"\nfolder = "b"\ncomplete = "no"\n[[images]]\nformat = "ictcf"\nfolder = "/c"\ntable = "t"'  # fmt: skip
    one = read_config(written(tmp_path, 'task = "one_shot"\n' + both))
    assert one.recipe == RECIPES["one-shot-tuned"] and (one.model.size, one.model.crop) == (512, 512)
    here = str(tmp_path)
    assert one.lesions == (SliceSet("cncb", f"{here}/a"), SliceSet("lidc", f"{here}/b", complete="no"))
    assert one.images == (SliceSet("ictcf", str(Path("/c").absolute()), f"{here}/t"),)
    assert read_config(written(tmp_path, 'recipe = "one-shot-paper"\n' + lesions)).task == ONE_SHOT
    told = 'task = "one_shot"\nrecipe = { epochs = 3 }\nmodel = { size = 256 }\n' + lesions
    small = read_config(written(tmp_path, told))
    assert small.recipe == dataclasses.replace(RECIPES["one-shot-tuned"], epochs=3)
    assert (small.model.size, small.model.crop, small.images) == (256, 256, ())


_SET = '[[lesions]]\nformat = "cncb"\nfolder = "a"\n'
_ONE_SHOT = 'task = "one_shot"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('task = "detector"\n[data]\nfolder = "x"', "task is 'detector'; it can be 'study_classifier', 'one_shot'"),
        (_ONE_SHOT, r"\[\[lesions\]\] is missing"),
        (_SET + '[data]\nfolder = "x"', r'\[\[lesions\]\] is for a one-shot model: write task = "one_shot"'),
        (
            _ONE_SHOT + 'recipe = "tuned"\n' + _SET,
            "the recipe 'tuned' is for 'study_classifier'; choose one of one-shot",
        ),
        (_ONE_SHOT + _SET + '[data]\nfolder = "x"', "data.folder is for studies"),
        (_ONE_SHOT + _SET + '[data]\nsplitting = "time"', "labelled slices have no dates"),
        (_ONE_SHOT + '[lesions]\nformat = "cncb"', r"lesions must be a list of tables: write \[\[lesions\]\]"),
        (_ONE_SHOT + '[[lesions]]\nfolder = "a"', r"lesions\[1\].format is ''; it can be 'studies', 'cncb'"),
        (_ONE_SHOT + _SET + '[[images]]\nformat = "x"\nfolder = "a"', r"images\[1\].format is 'x'"),
        (_ONE_SHOT + _SET + '[[lesions]]\nformat = "lidc"', r"lesions\[2\].folder is missing"),
        (_ONE_SHOT + _SET + 'complete = "all"', r"lesions\[1\].complete is 'all'; it can be 'yes', 'no'"),
        (_ONE_SHOT + _SET + "complete = true", r"lesions\[1\].complete must be a text in quotes, and is true"),
        (_ONE_SHOT + _SET + 'split = "external:"', r"lesions\[1\].split is 'external:'; it can be 'train'"),
        (_ONE_SHOT + _SET + 'formats = "x"', r"lesions\[1\].formats is not known; is format meant"),
        (_ONE_SHOT + _SET + '[model]\nclasses = ["lung", "infection"]', "are 'background', then what it is to outline"),
        (_ONE_SHOT + _SET + '[model]\nclasses = ["background"]', "are 'background', then what it is to outline"),
        (_ONE_SHOT + _SET + '[model]\nclasses = ["background", "a", "a"]', "model.classes names a class twice"),
        (_ONE_SHOT + _SET + '[model]\nimage_classes = ["a", "a"]', "model.image_classes names a class twice"),
        (_ONE_SHOT + _SET + '[model]\nimage_classes = ["a"]', "model.image_classes must be two at least"),
        (_ONE_SHOT + _SET + '[model]\nimage_classes = ["a", "b"]\nnegative_class = "c"', "none of model.image_classes"),
        (_ONE_SHOT + _SET + "[model]\nsize = 256\ncrop = 224", "a one-shot model sees the whole slice"),
        (
            _ONE_SHOT + _SET + '[model]\nmerge = { a = "b", b = "c" }',
            "model.merge.a is 'b', which is itself learned as",
        ),
        (_ONE_SHOT + _SET + '[model]\nmerge = { background = "b" }', "model.merge names 'background'"),
        (_ONE_SHOT + _SET + "[model]\nmerge = { a = 1 }", "model.merge.a must be a text in quotes, and is 1"),
        (
            _ONE_SHOT + _SET + "[model]\nnet = { anchors = [1, 'a'] }",
            r"model.net.anchors\[2\] must be a whole number or a",
        ),
        (_ONE_SHOT + _SET + "[model]\nnet = { sieve = 2020-01-01 }", "model.net.sieve must be .* or a list of numbers"),
        (_ONE_SHOT + _SET + "[recipe]\nsmoothing = 1", "recipe.smoothing is the share"),
        (_ONE_SHOT + _SET + '[recipe]\nlosses = "both"', "recipe.losses is 'both'; it can be 'alternate', 'sum'"),
        (_ONE_SHOT + _SET + '[recipe]\ncopy = "never"', "recipe.copy is 'never'; it can be 'best', 'previous_step'"),
        (_ONE_SHOT + _SET + "[recipe]\nper_class = -1", "recipe.per_class is -1; it must not be below 0"),
        (
            _ONE_SHOT + _SET + '[recipe]\ntask = "study_classifier"',
            "the recipe 'one-shot-tuned' is for 'study_classifier'",
        ),
        ("seed = = 1", "no TOML file.*line 1"),
        ('sede = 1\n[data]\nfolder = "x"', "the key sede is not known; is seed meant"),
        ('[data]\nfolder = "x"\nfolds = 2', "data.folds is 2; it must be 3"),
        ('[data]\nfolder = "x"\nfolds = 5.5', "data.folds must be a whole number, and is 5.5"),
        ('[data]\nfolder = "x"\nfolds = true', "data.folds must be a whole number, and is true"),
        ("[data]\nfolder = 1", "data.folder must be a text in quotes, and is 1"),
        ('[data]\nfolder = "x"\nshares = [0.5, 0.5]', "data.shares must have 3 values, and has 2"),
        ('[data]\nfolder = "x"\nshares = [0.5, 0.5, "a"]', r"data.shares\[3\] must be a number"),
        ('[data]\nfolder = "x"\nshares = [0.5, 0.6, 0.1]', "data.shares must be three numbers that sum to 1"),
        ('[data]\nfolder = "x"\nsplitting = "random"', "data.splitting is 'random'; it can be 'stratified', 'time'"),
        ('[data]\nfolder = "x"\nprevalence = { covid = 2.0 }', "data.prevalence.covid is 2.0"),
        ('[data]\nfolder = "x"\nprevalence = { covid = nan }', "data.prevalence.covid is nan"),
        ('[data]\nfolder = "x"\nfolds = 2024-01-01', "data.folds must be a whole number, and is 2024-01-01"),
        ('data = "x"', "data must be a table"),
        ("[data]", "data.folder is missing"),
        ("", "data.folder is missing"),
        ('recipe = "papre"\n[data]\nfolder = "x"', "the recipe 'papre' is not known; there are tuned"),
        ('[data]\nfolder = "x"\n[recipe]\nname = "paper"\nepoch = 3', "recipe.epoch is not known; is epochs meant"),
        ('[data]\nfolder = "x"\n[recipe]\nepochs = 0', "recipe.epochs is 0; it must be above 0"),
        ('[data]\nfolder = "x"\n[recipe]\nrate = inf', "recipe.rate is inf"),
        ('[data]\nfolder = "x"\n[recipe]\nrate = -1.0', "recipe.rate is -1.0"),
        ('[data]\nfolder = "x"\n[model]\nstart = "chance"', "model.start is 'chance'"),
        ('[data]\nfolder = "x"\n[model]\ncrop = 300', "model.crop is 300, larger than model.size"),
        ('[data]\nfolder = "x"\n[model]\nclasses = ["a", "a"]', "model.classes names a class twice"),
        ('[data]\nfolder = "x"\n[model]\nclasses = ["a", "b"]\nnegative_class = "c"', "none of model.classes"),
        ('[data]\nfolder = "x"\n[model]\nclasses = "a"', "model.classes must be a list"),
        ('[data]\nfolder = "x"\n[model]\nencoder_options = { width = [1] }', "encoder_options.width must be .* a list"),
        ('[data]\nfolder = "x"\n[model]\nname = "../My Model"', "model.name is '../My Model'; it takes lower case"),
        ('[data]\nfolder = "x"\n[model]\ntitle = "a\\u001b[31m"', "model.title must be one line of plain text"),
        ('[data]\nfolder = "x"\n[recipe]\nepochs = 10000000000', "recipe.epochs is larger than such a number can be"),
        ('[data]\nfolder = "x"\n[recipe]\nrate = 1' + 400 * "0", "recipe.rate is larger than such a number can be"),
        ('seed = 99999999999999999999\n[data]\nfolder = "x"', "seed is larger than such a number can be"),
        ('schema = 2\n[data]\nfolder = "x"', "schema 2, and this program knows schema 1"),
    ],
)
def test_a_fault_is_named_by_its_key(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        read_config(written(tmp_path, text))
    assert refused(tmp_path, text).endswith((".", "?"))


def test_files_that_are_no_configuration(tmp_path):
    with pytest.raises(InputError, match="could not be read: No such file"):
        read_config(tmp_path / "none.toml")
    with pytest.raises(InputError, match="could not be read"):
        read_config(tmp_path)
    (tmp_path / "a").write_bytes(b"\xff\xfe\0")
    with pytest.raises(InputError, match="no text in UTF-8"):
        read_config(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"#" * (2 << 20))
    with pytest.raises(InputError, match="larger than"):
        read_config(tmp_path / "b")
    (tmp_path / "c").write_text("a = " + "[" * 100_000)
    with pytest.raises(InputError, match="no TOML file"):
        read_config(tmp_path / "c")


@given(st.binary(max_size=60) | st.text(string.printable, max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "run.toml"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_config(path)


def test_paths_that_are_not_there_are_named(tmp_path):
    config = RunConfig(DataConfig(str(tmp_path / "none")))
    with pytest.raises(InputError, match=r"data.folder is .*none, which does not exist\."):
        require_paths(config)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="which is a file, not a folder"):
        require_paths(RunConfig(DataConfig(str(tmp_path / "file"))))
    with pytest.raises(InputError, match=r"data.labels is .*none, which does not exist"):
        require_paths(RunConfig(DataConfig(str(tmp_path), labels=str(tmp_path / "none"))))
    with pytest.raises(InputError, match=r"model.weights is .*, which is no file"):
        require_paths(RunConfig(DataConfig(str(tmp_path)), ModelConfig(weights=str(tmp_path))))
    require_paths(RunConfig(DataConfig(str(tmp_path), labels=str(tmp_path / "file"))))
    with pytest.raises(InputError, match="x…, which does not exist") as caught:
        require_paths(RunConfig(DataConfig(str(tmp_path / ("x" * 5000)))))
    assert len(str(caught.value)) < 200


def test_folders_of_sets_that_are_not_there_are_named(tmp_path):
    (tmp_path / "file").touch()
    here, file = str(tmp_path), str(tmp_path / "file")
    good = RunConfig(DataConfig(""), lesions=(SliceSet("cncb", here, file),), images=(SliceSet("cncb", here),))
    require_paths(good)
    with pytest.raises(InputError, match=r"lesions\[2\].folder is .*none, which does not exist"):
        require_paths(dataclasses.replace(good, lesions=(*good.lesions, SliceSet("cncb", f"{here}/none"))))
    with pytest.raises(InputError, match=r"images\[1\].table is .*, which is no file"):
        require_paths(dataclasses.replace(good, images=(SliceSet("cncb", here, here),)))


def test_the_digest_is_of_what_decides_the_result():
    one = RunConfig(DataConfig("a"))
    check(one)
    same = dataclasses.replace(one, device="cpu", chunk=2, checkpoint_minutes=1.0, data=DataConfig("b", labels="c"))
    same = dataclasses.replace(same, recipe=dataclasses.replace(one.recipe, title="x", explanation="y"))
    assert same.digest() == one.digest()
    assert dataclasses.replace(one, seed=1).digest() != one.digest()
    sets = dataclasses.replace(one, lesions=(SliceSet("cncb", "a"),))
    assert dataclasses.replace(one, lesions=(SliceSet("cncb", "b", "t"),)).digest() == sets.digest() != one.digest()
    assert dataclasses.replace(one, lesions=(SliceSet("cncb", "a", complete="no"),)).digest() != sets.digest()
    other = dataclasses.replace(one, recipe=dataclasses.replace(one.recipe, epochs=2))
    assert other.digest() != one.digest()
    assert from_table({"data": {"folder": "a", "folds": 4}}).digest() != one.digest()
