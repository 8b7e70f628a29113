"""What a fit says."""

from dlcli.engine.reports import NonFiniteError


def test_bad_numbers_end_with_70_and_say_what_usually_helps() -> None:
    error = NonFiniteError("loss is nan at step 3", dump={"step": 3})
    assert (error.code, error.dump) == (70, {"step": 3})
    assert error.hint is not None
    assert "optimizer.lr" in error.hint
