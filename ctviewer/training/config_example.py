"""A configuration to begin from, with an explanation of each value. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ctviewer.core.errors import InputError
from ctviewer.models.metadata import CLASSIFIER, ONE_SHOT
from ctviewer.training.config_file import toml
from ctviewer.training.recipes import RECIPES

_STUDIES = """\
# A training run of ctviewer. Check it:  ctviewer train FILE --check     Train:  ctviewer train FILE
# What is left out has the value that is shown here. Relative paths are relative to this file.

schema = 1
task = "study_classifier"  # what is trained; "one_shot" has an example of its own: --example one-shot-tuned
seed = 0                   # of all draws: the same seed and data give the same run
device = "auto"            # "auto" (CUDA where there is one), "cpu" or "cuda"
chunk = 16                 # slices that pass the encoder at once; fewer need less memory
checkpoint_minutes = 5.0   # time between two checkpoints; 0 saves after every step

[data]
folder = "studies"         # one sub-folder, ZIP archive or file per study; nothing is written there
labels = ""                # table with the columns study, patient, class (and split, date); "" is labels.csv of the folder
values = ""                # NIfTI and pictures only: "hu", "hu+1024", "window=-600/1500"; DICOM files say it themselves
spacing = ""               # the same: mm between rows, columns and slices, "0.7x0.7x1.25"
order = ""                 # the same: "head-first" or "feet-first"
splitting = "stratified"   # who is learned from where the table does not say: at random, or by "time" (newest: test)
shares = [0.7, 0.15, 0.15] # of the patients: train, validation, test
cross_validation = "auto"  # under 50 patients; "always" or "never"
folds = 5
repeats = 2
prevalence = {}            # what probabilities refer to, each class: { healthy = 0.9, covid = 0.1 }; {} is as in these data

[model]
name = ""                  # of the new model: lower case, digits, hyphens; "" is the base model's
title = ""                 # for the window; "" is the base model's
start = "base"             # "base" (an installed study classifier), "domain" (its encoder, a new head), "imagenet", "scratch"
base = ""                  # "name version" of an installed model; "" is the active one (for "domain" the default study classifier)
weights = ""               # for "imagenet": file of torchvision's weights; "" is torchvision's cache. Nothing is downloaded
encoder = "resnet50"       # for "imagenet" and "scratch": resnet50, googlenet, resnet18, mobilenet_v3, convnext_tiny
encoder_options = {}
aggregator = "lstm_attention" # of a new head: "max_pool", "lstm", "lstm_attention" or "attention"
aggregator_options = {}
head = ""                  # "binary", "multi_class" or "multi_label"; "" follows the labels
classes = []               # order of the outputs; [] is the base model's, else sorted
negative_class = ""        # the class that means "no finding"; "" is the base model's
window = [-600.0, 1500.0]  # centre and width in HU; a base model has its own
size = 256                 # pixels a slice is brought to, and its crop; a base model has its own
crop = 224
"""

_SLICES = """\
# A training run of ctviewer: a one-shot model, which outlines lesions on a slice and tells the slice's class.
# Check it:  ctviewer train FILE --check     Train:  ctviewer train FILE
# What is left out has the value that is shown here. Relative paths are relative to this file.

schema = 1
task = "one_shot"          # what is trained; "study_classifier" has an example of its own: --example tuned
seed = 0                   # of all draws: the same seed and data give the same run
device = "auto"            # "auto" (CUDA where there is one), "cpu" or "cuda"
chunk = 16                 # slices that are judged at once; fewer need less memory
checkpoint_minutes = 5.0   # time between two checkpoints; 0 saves after every step

[[lesions]]                # slices with outlined lesions; write this table once for each set of them
format = "studies"         # "studies" (own folder: labels.csv, masks as DICOM SEG, NIfTI or PNG), "cncb", "lidc", "covid19_ct_seg"
folder = "lesions"         # nothing is written there
table = ""                 # file that lists the set, where its format has one; "" is labels.csv of the folder
split = ""                 # "train", "val", "test", "train-only" or "external:NAME" for the whole set; "": as it says itself, or open
complete = ""              # "yes": all lesions are marked; "no": what is unmarked is unknown, not healthy; "": as the format says
values = ""                # NIfTI and pictures only: "hu", "hu+1024", "window=-600/1500"; DICOM files say it themselves
                           # covid19_ct_seg also: "recovered", Hounsfield units with its contrast undone
own_patients = false       # true: its patients are other people than those of equal name in other sets

[[images]]                 # slices with a class, in as many sets; leave it out to train on lesions alone
format = "studies"         # also "covidx", "prefixed", "ictcf"
folder = "images"
table = ""
split = ""
complete = ""
values = ""
own_patients = false

[data]
shares = [0.7, 0.15, 0.15] # of the patients: train, validation, test; a patient of both kinds of sets is in one part
cross_validation = "auto"  # under 50 patients; "always" or "never"
folds = 5
repeats = 2

[model]
name = ""                  # of the new model: lower case, digits, hyphens; "" is the base model's
title = ""                 # for the window; "" is the base model's
start = "base"             # "base" (an installed one-shot model), "domain" (the backbone of an installed model), "imagenet", "scratch"
base = ""                  # "name version" of an installed model; "" is the active one (for "domain" the default study classifier)
weights = ""               # for "imagenet": file of torchvision's weights; "" is torchvision's cache. Nothing is downloaded
encoder = "resnet50"       # backbone for "imagenet" and "scratch": resnet18, resnet50, resnext50, resnext101
classes = []               # what is outlined, "background" first; [] is the base model's, else what the sets have
image_classes = []         # what a slice can be; [] is the base model's, else what the sets have
negative_class = ""        # of image_classes: "no finding"; "" is the base model's
merge = {}                 # classes learned as another: { "ground glass" = "infection", consolidation = "infection" }; "": not learned
net = {}                   # further options of the net: { levels = "pyramid", branches = "tied", sieve = 1 }
window = [-600.0, 1500.0]  # centre and width in HU; a base model has its own
size = 512                 # pixels a slice is brought to; a base model has its own
crop = 512                 # the same: nothing is cropped
"""

_EXPLAINED = {
    "name": "",  # the recipes of the same task
    "trainable": 'of the encoder: "none" (its features are computed once and kept), "last_two" modules, "all"',
    "optimizer": '"adam" or "adamw"',
    "rate": "peak learning rate of attention and classifier",
    "encoder_rate": "the encoder's, as a factor of it",
    "decay": "weight decay",
    "warm_up": "share of all steps over which the rate rises",
    "schedule": '"constant", or "cosine" to zero',
    "epochs": "passes over the training studies",
    "batch": "studies a step",
    "sampling": '"inverse_frequency" (all classes equally often) or "even"',
    "augmentation": '"none", "paper" (rotation and crop) or "tuned" (also zoom, contrast, noise)',
    "draws": "of the augmentation per study, one an epoch, then again; more need more disk where features are kept",
    "long_study": "training studies of so many slices are split; 0: never",
    "every": "into parts of every so-manyth slice",
    "precision": 'of the encoder: "auto", "float32", "bfloat16" or "float16"',
    "clip": "largest norm of the gradient; 0: not clipped",
    "patience": "epochs without a better validation loss after which training stops; 0: never",
    "keep": 'weights of the "best" validation epoch, or of the "last"',
    "supervision": "weight of the attention loss where slice labels are known; 0: none",
    "calibrate": "fit the probabilities on the validation studies, at the stated prevalence",
    "losses": '"alternate" (a step on lesions, then one on classes) or "sum" (both in one step)',
    "copy": 'when the classifying branch takes the outlining one\'s weights: "best" loss so far or "previous_step"; not if tied',
    "smoothing": "of that loss: the share of what it was before",
    "per_class": "slices of each image class, drawn once; 0: all",
}
_OF_ONE_SHOT: Mapping[str, str] = MappingProxyType(
    {
        "trainable": 'of the backbone: "none", "last_two" modules, "all"',
        "rate": "peak learning rate of all but the backbone",
        "encoder_rate": "the backbone's, as a factor of it",
        "epochs": "passes over the slices with a class, each beside a slice with lesions drawn at random",
        "batch": "slices a step",
        "draws": "of the augmentation per slice, one an epoch, then again",
        "precision": 'of the costly part: "auto", "float32", "bfloat16" or "float16"',
    }
)
_APART = {
    CLASSIFIER: {"losses", "copy", "smoothing", "per_class"},
    ONE_SHOT: {"long_study", "every", "supervision", "calibrate"},
}  # of a recipe, what the other task alone has


def example_text(name: str = "tuned") -> str:
    """A commented configuration, all values at their defaults.

    Args:
        name: of a recipe.

    Raises:
        InputError: there is no such recipe.
    """
    if name not in RECIPES:
        raise InputError(f"The recipe {name!r} is not known; there are {', '.join(RECIPES)}.")
    recipe = RECIPES[name]
    lines = [
        f"# {recipe.title}: {line}" if not n else f"# {line}" for n, line in enumerate(_wrapped(recipe.explanation))
    ]
    names = ", ".join(one.name for one in RECIPES.values() if one.task == recipe.task)
    explained = {**_EXPLAINED, "name": f"one of: {names}", **(_OF_ONE_SHOT if recipe.task == ONE_SHOT else {})}
    pairs = [
        (f"{key} = {toml(getattr(recipe, key))}", why)
        for key, why in explained.items()
        if key not in _APART[recipe.task]
    ]
    return (
        "\n".join(
            [
                _SLICES if recipe.task == ONE_SHOT else _STUDIES,
                "[recipe]",
                *lines,
                *(f"{pair:26s} # {why}" for pair, why in pairs),
            ]
        )
        + "\n"
    )


def _wrapped(text: str) -> list[str]:
    """Sentences, a line each."""
    parts = text.split(". ")
    return [part if part.endswith(".") else f"{part}." for part in parts]
