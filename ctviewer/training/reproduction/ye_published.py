"""What Ye published: tables 1 to 4, the weights of figure 5, and figure 1 in the paper's own words.

"COVID-19 classification of chest CT scans using Bidirectional LSTM and Attention". Figure 1 is a plot without numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

EPOCHS = (6, 12)
METRICS = ("AP", "AUC-PR", "AUC-ROC")


@dataclass(frozen=True)
class Arm:
    """One model of the comparison.

    Attributes:
        encoder, aggregator: as `nets` names them.
    """

    encoder: str
    aggregator: str

    @property
    def title(self) -> str:
        """As the paper calls it: "ResNet50 LSTM Attention"."""
        return f"{ENCODER_TITLES.get(self.encoder, self.encoder)} {AGGREGATOR_TITLES[self.aggregator]}"


ENCODER_TITLES = {"resnet50": "ResNet50", "googlenet": "GoogLeNet", "resnet18": "ResNet18",
                  "mobilenet_v3": "MobileNetV3", "convnext_tiny": "ConvNeXt-Tiny"}  # fmt: skip
AGGREGATOR_TITLES = {
    "max_pool": "MaxPooling",
    "lstm": "LSTM",
    "lstm_attention": "LSTM Attention",
    "attention": "Attention only",
}
PUBLISHED_ARMS = tuple(Arm(e, a) for a in ("max_pool", "lstm", "lstm_attention") for e in ("resnet50", "googlenet"))

TABLE_1 = (
    ("Dataset", "Training", "Validation", "Test", "Special test"),
    ("COVID-19", "680", "38", "39", "0"),
    ("RIDER", "210", "18", "18", "0"),
    ("ELCAP", "160", "20", "20", "0"),
    ("Coronacases", "0", "0", "0", "10"),
    ("Radiopedia", "0", "0", "0", "10"),
)

_ALL_ONE = dict.fromkeys(METRICS, (1.0, 1.0))
TABLE_2: dict[Arm, dict[str, tuple[float, float]]] = {arm: dict(_ALL_ONE) for arm in PUBLISHED_ARMS}
"""Metric to its values after epochs 6 and 12, on the test set."""
TABLE_2[Arm("resnet50", "lstm")] = {"AP": (0.97, 1.0), "AUC-PR": (0.97, 1.0), "AUC-ROC": (0.95, 1.0)}


def _row(text: str) -> tuple[float, ...]:
    return tuple(float(value) for value in text.split())


_ONES = _row("1 1 1 1 1 1 1 1 1 1")

TABLE_3: dict[tuple[Arm, int], tuple[float, ...]] = {
    (Arm("resnet50", "max_pool"), 6): _row("0.83 1.00 0.98 0.99 0.98 0.96 1.00 0.98 1.00 0.96"),
    (Arm("resnet50", "max_pool"), 12): _row("0.83 1.00 0.99 0.99 0.99 0.98 1.00 0.99 1.00 0.99"),
    (Arm("googlenet", "max_pool"), 6): _row("0.64 0.97 0.97 0.96 0.73 0.95 0.64 0.97 0.97 0.89"),
    (Arm("googlenet", "max_pool"), 12): _row("0.76 0.99 0.99 0.98 0.83 0.97 0.76 0.99 0.99 0.96"),
    (Arm("resnet50", "lstm"), 6): _row("0.60 0.61 0.60 0.61 0.60 0.61 0.61 0.61 0.61 0.61"),
    (Arm("resnet50", "lstm"), 12): _row("0.57 0.57 0.57 0.54 0.57 0.57 0.57 0.53 0.57 0.57"),
    (Arm("googlenet", "lstm"), 6): _row("0.61 0.61 0.60 0.61 0.61 0.61 0.60 0.61 0.61 0.61"),
    (Arm("googlenet", "lstm"), 12): _row("0.74 0.74 0.74 0.74 0.74 0.74 0.74 0.74 0.74 0.74"),
    (Arm("resnet50", "lstm_attention"), 6): _ONES,
    (Arm("resnet50", "lstm_attention"), 12): _ONES,
    (Arm("googlenet", "lstm_attention"), 6): _ONES,
    (Arm("googlenet", "lstm_attention"), 12): _ONES,
}
"""Probabilities of the ten positive studies of coronacases, by model and epoch."""

TABLE_4: dict[tuple[Arm, int], tuple[float, ...]] = {
    (Arm("resnet50", "max_pool"), 6): _row("0.98 0.84 0.63 0.90 0.77 0.53 0.91 0.72 0.38 0.42"),
    (Arm("resnet50", "max_pool"), 12): _row("0.99 0.92 0.65 0.94 0.82 0.58 0.93 0.78 0.43 0.56"),
    (Arm("googlenet", "max_pool"), 6): _row("0.38 0.32 0.48 0.15 0.19 0.24 0.26 0.89 0.19 0.28"),
    (Arm("googlenet", "max_pool"), 12): _row("0.46 0.21 0.40 0.06 0.09 0.17 0.28 0.96 0.10 0.25"),
    (Arm("resnet50", "lstm"), 6): _row("0.61 0.61 0.60 0.61 0.59 0.61 0.61 0.61 0.45 0.60"),
    (Arm("resnet50", "lstm"), 12): _row("0.57 0.57 0.57 0.57 0.55 0.56 0.56 0.57 0.23 0.54"),
    (Arm("googlenet", "lstm"), 6): _row("0.61 0.58 0.61 0.59 0.61 0.58 0.60 0.57 0.56 0.60"),
    (Arm("googlenet", "lstm"), 12): _row("0.74 0.74 0.73 0.76 0.73 0.74 0.74 0.69 0.65 0.73"),
    (Arm("resnet50", "lstm_attention"), 6): _ONES,
    (Arm("resnet50", "lstm_attention"), 12): _row("1.00 0.83 1.00 0.99 1.00 0.98 1.00 0.01 0.97 1.00"),
    (Arm("googlenet", "lstm_attention"), 6): _ONES,
    (Arm("googlenet", "lstm_attention"), 12): _row("1.00 1.00 1.00 0.23 1.00 0.98 1.00 1.00 0.10 0.18"),
}
"""The same of the ten positive studies of radiopedia."""

FIGURE_1 = (
    "The choice of the pretrained feature extraction model has negligible impact on convergence speed. LSTM with attention "
    "shows the fastest convergence speed while LSTM without attention shows no signs of loss decrease. Max pooling shows "
    "loss decrease slower than LSTM with attention but is significantly faster than LSTM without attention."
)

FIGURE_5 = (
    ("ResNet50 LSTM Attention @ 12, Radiopedia Sample 1", (0.3097, 0.2415, 0.1757, 0.1116)),
    ("GoogLeNet LSTM Attention @ 12, Coronacases Sample 3", (0.2091, 0.1448, 0.0981, 0.0928)),
    ("GoogLeNet LSTM Attention @ 12, Radiopedia Sample 9", (0.6204, 0.3327, 0.0244, 0.0223)),
    ("ResNet50 LSTM Attention @ 12, Coronacases Sample 7", (0.0371, 0.0362, 0.0354, 0.0329)),
)
"""The four highest weights of each sample shown; the prediction confidence of all is given as 1.00."""
