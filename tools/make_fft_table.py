"""Write csrc/mc_fft_table.h: one period of the cosine, the twiddle factors of mc_fft.

Run: python tools/make_fft_table.py > csrc/mc_fft_table.h
"""

from __future__ import annotations

import math

SIZE = 512


def main() -> None:
    print("/* Made by tools/make_fft_table.py: cos(2 pi k / 512), k = 0..511. */")
    print("/* clang-format off */")
    print(f"static const float mc_fft_cos[{SIZE}] = {{")
    for row in range(0, SIZE, 8):
        # The quarter points are exact, so that the transform of a constant is too.
        values = [round(math.cos(2 * math.pi * k / SIZE), 9) + 0.0 for k in range(row, row + 8)]
        print("\t" + " ".join(f"{v:.9f}f," for v in values))
    print("};")
    print("/* clang-format on */")


if __name__ == "__main__":
    main()
