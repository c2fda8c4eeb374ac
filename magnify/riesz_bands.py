"""From a picture's octave to what it tells by itself: the Riesz engine's bands."""

from __future__ import annotations

from numba import njit

from .planes import Floats, repeat_edges
from .riesz_formulas import blur_3, blur_9


@njit(cache=True, nogil=True, fastmath=True)
def band_rows(plane: Floats, out: Floats, rows: tuple[int, int], scratch: Floats) -> None:
    """Compute rows rows[0]..rows[1] of the band of a plane [h, w]: its fine blur less its coarse one.

    `scratch` has two lines.
    """
    height, width = plane.shape
    fine, coarse = scratch[0], scratch[1]
    fine_body, coarse_body = fine[4:], coarse[4:]
    last = height - 1
    for y in range(rows[0], rows[1]):
        here = plane[y]
        up1, down1 = plane[max(y - 1, 0)], plane[min(y + 1, last)]
        up2, down2 = plane[max(y - 2, 0)], plane[min(y + 2, last)]
        up3, down3 = plane[max(y - 3, 0)], plane[min(y + 3, last)]
        up4, down4 = plane[max(y - 4, 0)], plane[min(y + 4, last)]
        for x in range(width):
            near = up1[x] + down1[x]
            two, three, four = up2[x] + down2[x], up3[x] + down3[x], up4[x] + down4[x]
            fine_body[x] = blur_3(here[x], near)
            coarse_body[x] = blur_9(here[x], near, two, three, four)
        repeat_edges(fine, 4, width)
        repeat_edges(coarse, 4, width)
        row = out[y]
        for x in range(width):
            one, two = coarse[x + 3] + coarse[x + 5], coarse[x + 2] + coarse[x + 6]
            three, four = coarse[x + 1] + coarse[x + 7], coarse[x] + coarse[x + 8]
            detail = blur_3(fine[x + 4], fine[x + 3] + fine[x + 5])
            row[x] = detail - blur_9(coarse[x + 4], one, two, three, four)
