"""A lesion of the lung lies in a lung: instances that do not are left out. Tables, arms and bowel are no lungs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample
from torchvision.models.detection.roi_heads import paste_masks_in_image

from ctviewer.nets.one_shot.answers import Detections

SHARE = 0.3
"""Of an instance's mask that must lie in a container: dense lesions at the pleura are often outside of what is outlined."""
LEAST_SCORE = 0.3
"""Of a container."""
_COARSE = 4  # pixels: the containers are looked at in a map so much smaller


def contained(found: Detections, container: int, size: int) -> Detections:
    """Instances that are containers, and those that lie in one.

    Args:
        found: of one slice.
        container: index of the class that others must lie in; 0: none need to.
        size: side of the net's input in pixels.
    """
    others = found.labels != container
    if container == 0 or not bool(others.any()):
        return found
    kept = ~others
    room = _room(found, ~others & (found.scores >= LEAST_SCORE), size)
    if room is not None:
        kept = kept | (others & (_inside(found, room, size) >= SHARE))
    return found.only(kept)


def _room(found: Detections, chosen: Tensor, size: int) -> Tensor | None:
    """`[s, s]` share of each coarse pixel that a container covers; None where there is none."""
    if not bool(chosen.any()):
        return None
    masks = paste_masks_in_image(found.masks[chosen][:, None].float(), found.boxes[chosen].float(), (size, size))
    return avg_pool2d((masks.amax(dim=0, keepdim=True) >= 0.5).float(), _COARSE)[0, 0]


def _inside(found: Detections, room: Tensor, size: int) -> Tensor:
    """`[n]`: share of each instance's mask that lies in the room."""
    side = found.masks.shape[-1]
    centres = (torch.arange(side, device=room.device) + 0.5) / side
    boxes = found.boxes.float() / size * 2 - 1  # the coordinates of `grid_sample`
    x = boxes[:, 0, None] + (boxes[:, 2] - boxes[:, 0])[:, None] * centres
    y = boxes[:, 1, None] + (boxes[:, 3] - boxes[:, 1])[:, None] * centres
    grid = torch.stack([x[:, None, :].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], dim=-1)
    rooms = room[None, None].expand(len(grid), -1, -1, -1)
    covered = grid_sample(rooms, grid, mode="bilinear", padding_mode="zeros", align_corners=False)[:, 0]
    masks = (found.masks >= 0.5).float()
    area = masks.sum(dim=(1, 2))
    return torch.where(area > 0, (masks * covered).sum(dim=(1, 2)) / area.clamp_min(1.0), 0.0)
