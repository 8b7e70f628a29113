"""A folder of real photos to load: JPEGs of 500 x 375 pixels, ImageNet's mean size, cut from scikit-learn's two."""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_sample_image

WIDTH, HEIGHT = 500, 375


def main() -> None:
    """Writes ROOT/china/*.jpg and ROOT/flower/*.jpg, half of the images each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("--images", type=int, default=600)
    options = parser.parse_args()
    for name in ("china", "flower"):
        photo = Image.fromarray(load_sample_image(f"{name}.jpg"))
        folder = Path(options.root) / name
        folder.mkdir(parents=True)
        for number in range(options.images // 2):
            left, top = 7 * number % (photo.width - WIDTH), 5 * number % (photo.height - HEIGHT)
            photo.crop((left, top, left + WIDTH, top + HEIGHT)).save(folder / f"{number:04}.jpg", quality=90)


if __name__ == "__main__":
    main()
