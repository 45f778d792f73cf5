"""Where each object lies in its photograph, drawn by hand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outline:
    """Where an object lies in its photograph.

    polygon: corners (x, y) in pixels of the photograph; y may be negative when `pad_top` adds rows above.
    band: half the width, in pixels, of the strip around the polygon in which GrabCut looks for the edge.
    pad_top: rows added above the photograph by reflection.
    """

    photograph: str
    polygon: tuple[tuple[int, int], ...]
    band: int
    pad_top: int = 0


# fmt: off
OUTLINES = {
    # The photograph ends at the forehead. Reflected rows give the fur and the ear that continue above it:
    # the ear narrows downwards, so its reflection narrows upwards, to a tip.
    "cat": Outline("chelsea", (
        (35, 92), (35, 40), (40, -5), (50, -45), (62, -68), (72, -69), (88, -52), (108, -34),
        (150, -42), (200, -46), (255, -43), (298, -34), (322, -50), (342, -70), (354, -68),
        (368, -44), (379, -20), (382, 5), (372, 40), (360, 72), (366, 110), (358, 150), (342, 190),
        (326, 225), (308, 256), (286, 276), (255, 288), (210, 284), (170, 270), (130, 243),
        (98, 208), (66, 165), (46, 128),
    ), band=3, pad_top=80),
    "astronaut": Outline("astronaut", (
        (240, 14), (275, 28), (297, 55), (301, 90), (290, 120), (272, 138), (258, 172), (285, 195),
        (302, 225), (306, 236), (325, 247), (345, 280), (360, 330), (366, 348), (400, 343),
        (440, 354), (470, 380), (490, 420), (498, 455), (506, 470), (511, 490), (511, 511),
        (30, 511), (26, 480), (23, 440), (20, 400), (28, 345), (40, 295), (52, 262), (75, 235),
        (112, 207), (113, 185), (125, 165), (150, 150), (185, 148), (180, 135), (165, 118),
        (153, 100), (153, 70), (165, 50), (190, 38), (215, 20),
    ), band=8),
    # The saucer and the table share their colours, so the hand-drawn edge is trusted almost to the pixel.
    "coffee": Outline("coffee", (
        (476, 256), (470, 279), (460, 300), (446, 320), (429, 337), (410, 353), (387, 365),
        (363, 375), (337, 382), (310, 387), (279, 389), (250, 387), (217, 381), (181, 368),
        (140, 345), (118, 325), (100, 301), (84, 260), (78, 228), (77, 208), (79, 191), (84, 169),
        (93, 147), (104, 127), (120, 108), (138, 92), (160, 78), (176, 71), (182, 58), (191, 47),
        (209, 33), (230, 24), (257, 19), (285, 18), (315, 20), (338, 26), (358, 35), (377, 48),
        (391, 63), (399, 70), (411, 66), (422, 70), (424, 78), (418, 106), (435, 122), (451, 142),
        (463, 164), (472, 186), (477, 210), (479, 233),
    ), band=1),
}
# fmt: on
