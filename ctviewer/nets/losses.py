"""What a study classifier is trained with: a loss for each kind of head, and the optional supervision of attention."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from ctviewer.nets.aggregators import real_slices


def study_loss(head: str, logits: Tensor, labels: Tensor) -> Tensor:
    """Mean loss over studies (Ye, section 5.1, and the further work of section 6).

    Args:
        head: one of `study_classifier.HEADS`.
        logits: `[b, c]` of a `StudyOutput`.
        labels: `[b]` int64 index of the class; multi-label: `[b, c]`, 1 where a class is present, else 0.

    Returns:
        A scalar: binary cross-entropy of the one learned logit, cross-entropy over classes, or binary cross-entropy over
        studies and classes.

    Raises:
        ValueError: an unknown head.
    """
    if head == "binary":
        return binary_cross_entropy_with_logits(logits[:, 1], labels.to(logits.dtype))
    if head == "multi_class":
        return cross_entropy(logits, labels)
    if head == "multi_label":
        return binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
    raise ValueError(f"unknown head {head!r}")


def attention_targets(slice_labels: Tensor, lengths: Tensor) -> Tensor:
    """Where attention should lie: evenly on the slices that show something, in a clean study evenly on all.

    Args:
        slice_labels: `[b, n]`, 0 (clean) to 1 (a lesion is shown); what stands in the padding does not matter. A study
            with NaN among its slices is one whose slices nobody labelled.
        lengths: `[b]` real slices of each study.

    Returns:
        `[b, n]`; each row sums to 1, or is 0 for a study without labels.
    """
    real = real_slices(lengths, slice_labels.shape[1])
    shown = slice_labels.masked_fill(~real, 0.0)
    clean = shown.sum(dim=1, keepdim=True) == 0
    share = shown.where(~clean, real.to(shown.dtype))
    return (share / share.sum(dim=1, keepdim=True)).nan_to_num(0.0)


def attention_loss(attention: Tensor, targets: Tensor) -> Tensor:
    """Mean divergence KL(target || attention) over the studies that have a target; padding has target 0.

    Args:
        attention: `[b, n]`.
        targets: `[b, n]` of `attention_targets`.

    Returns:
        A scalar, 0 where no study has a target.
    """
    ratio = (targets.clamp_min(1e-12) / attention.clamp_min(1e-12)).log()
    labelled = (targets.sum(dim=1) > 0).sum().clamp_min(1)
    return (targets * ratio).sum() / labelled
