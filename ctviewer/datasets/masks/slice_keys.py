"""How files beside a study name its slices: by SOPInstanceUID, by the digest of the slice, or by its picture's name."""

from __future__ import annotations

from collections import Counter

from ctviewer.core.volume import Volume


class SliceKeys:
    """Names of the slices of a volume.

    Args:
        volume: loaded.
    """

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        refs = volume.series.slices
        uids = Counter(ref.sop_instance_uid for ref in refs)
        stems = Counter(ref.path.stem for ref in refs)
        self._uids = [ref.sop_instance_uid if uids[ref.sop_instance_uid] == 1 else "" for ref in refs]
        self._known = {
            **{ref.path.stem: index for index, ref in enumerate(refs) if stems[ref.path.stem] == 1},
            **{uid: index for index, uid in enumerate(self._uids) if uid},
        }
        self._digests: dict[str, int] | None = None

    def name(self, index: int) -> str:
        """What a slice is called: its SOPInstanceUID where it is the only one with it, else its digest."""
        return self._uids[index] or self._volume.slice_digest(index)

    def find(self, key: str) -> int | None:
        """Volume index of what a file calls a slice; None for none of them."""
        if key in self._known:
            return self._known[key]
        if self._digests is None:  # only where asked for: each costs a hash over the slice
            self._digests = {self._volume.slice_digest(index): index for index in range(self._volume.slice_count)}
        return self._digests.get(key)
