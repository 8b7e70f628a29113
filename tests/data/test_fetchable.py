import pytest

from dlcli.data.fetchable import Published, Remote

SHA256, MD5 = "ab" * 32, "cd" * 16
GOOD = {"name": "raw/images.gz", "urls": ("https://example.org/images.gz",), "size": 10, "sha256": SHA256}


def test_sha256_is_checked_where_both_digests_are_known():
    assert Remote(**GOOD).digest == ("sha256", SHA256)
    assert Remote(**GOOD, md5=MD5).digest == ("sha256", SHA256)
    assert Remote(**{**GOOD, "sha256": None}, md5=MD5).digest == ("md5", MD5)


def test_the_size_of_a_set_is_that_of_its_files():
    files = (Remote(**GOOD), Remote(**{**GOOD, "name": "labels.gz", "size": 7}))
    assert Published(name="set", files=files, terms="MIT").size == 17


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../up", "a/../../up", "a/./b", "a\\b"])
def test_a_name_that_leaves_the_folder_is_refused(name):
    with pytest.raises(ValueError, match="name must stay inside"):
        Remote(**{**GOOD, "name": name})


@pytest.mark.parametrize("urls", [(), ("file:///etc/passwd",), ("https://good.org/a", "ftp://example.org/a"), ("http:///a",)])
def test_only_http_addresses_are_taken(urls):
    with pytest.raises(ValueError, match="urls must be one or more of http or https"):
        Remote(**{**GOOD, "urls": urls})


def test_a_file_without_a_digest_is_refused():
    with pytest.raises(ValueError, match=r"sha256 or md5 must be given for raw/images\.gz"):
        Remote(**{**GOOD, "sha256": None})


@pytest.mark.parametrize("digest", [SHA256[:-1], SHA256.upper(), "xy" * 32])
def test_what_is_no_digest_is_refused(digest):
    with pytest.raises(ValueError, match="sha256 must be 64 lower-case hexadecimal digits"):
        Remote(**{**GOOD, "sha256": digest})


def test_a_size_below_one_byte_is_refused():
    with pytest.raises(ValueError, match="size must be a number of bytes of at least 1, got 0"):
        Remote(**{**GOOD, "size": 0})
