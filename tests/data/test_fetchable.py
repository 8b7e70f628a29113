import pytest

from dlcli.data.fetchable import Published, Remote, digest_of, readable, stays_inside

SHA256, MD5 = "ab" * 32, "cd" * 16
GOOD = {"name": "raw/images.gz", "urls": ("https://example.org/images.gz",), "size": 10, "sha256": SHA256}


def test_sha256_is_checked_where_both_digests_are_known():
    assert Remote(**GOOD).digest == SHA256
    assert Remote(**GOOD, md5=MD5).digest == SHA256
    assert Remote(**{**GOOD, "sha256": None}, md5=MD5).digest == MD5


def test_a_file_is_kept_as_it_is_unless_it_is_an_archive_that_is_unpacked():
    assert Remote(**GOOD).kept == {"raw/images.gz": SHA256}
    assert Remote(**GOOD, contents={"batches/one.bin": MD5}).kept == {"batches/one.bin": MD5}


def test_a_digest_is_of_the_kind_of_its_example_and_the_same_for_a_file_and_its_bytes(tmp_path):
    content = b"abc" * 1_000_000
    (tmp_path / "file").write_bytes(content)
    # RFC 1321, appendix A.5, and FIPS 180-2, appendix B.1.
    assert digest_of(b"abc", like=MD5) == "900150983cd24fb0d6963f7d28e17f72"
    assert digest_of(b"abc", like=SHA256) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest_of(tmp_path / "file", like=SHA256) == digest_of(content, like=SHA256)


def test_sizes_are_said_in_megabytes():
    assert [readable(size) for size in (170_052_171, 1_329_278_602, 5_148)] == ["170.1 MB", "1,329.3 MB", "5.1 kB"]


def test_names_that_are_plain_on_one_system_and_leave_on_another_do_not_stay_inside():
    assert stays_inside("gzip/emnist-letters.gz")
    assert not any(map(stays_inside, ["C:/windows", "c:x", "a\\..\\b", "a//b", "a/", "a\0b", "/a", "..", "a/../b", ""]))


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


def test_the_contents_of_an_archive_are_checked_too():
    with pytest.raises(ValueError, match="name must stay inside"):
        Remote(**GOOD, contents={"../up": MD5})
    with pytest.raises(ValueError, match="contents must be 32 or 64 lower-case hexadecimal digits"):
        Remote(**GOOD, contents={"one.bin": MD5[:-1]})


def test_the_beginning_of_a_digest_is_enough_where_only_that_is_published():
    remote = Remote(**{**GOOD, "sha256": None}, sha256_start="ba7816bf")
    assert digest_of(b"abc", like=remote.digest) == remote.digest
    assert digest_of(b"abd", like=remote.digest) != remote.digest


@pytest.mark.parametrize("start", ["ba7816b", "BA7816BF", "ab" * 16])
def test_too_little_of_a_digest_proves_nothing(start):
    with pytest.raises(ValueError, match="sha256_start must be 8 to 31"):
        Remote(**{**GOOD, "sha256": None}, sha256_start=start)
