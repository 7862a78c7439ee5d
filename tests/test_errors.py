import pytest

from anglewise.errors import AnglewiseError, AttachError, SpecError, StoreError, unknown


def test_the_nearest_name_is_offered_and_all_are_listed_in_order():
    message = unknown("arm", "adamv", ["man", "adamw", "adamw"])
    assert message == "unknown arm 'adamv': did you mean 'adamw'? Known: adamw, man"


def test_a_name_like_no_other_gets_no_guess():
    assert unknown("arm", "zzz", ["adamw", "man"]) == "unknown arm 'zzz': Known: adamw, man"


def test_where_nothing_is_known_it_says_so():
    assert unknown("site", "x", []) == "unknown site 'x': Known: none"


def test_a_name_is_repeated_on_one_line_whatever_it_holds():
    assert "\n" not in unknown("arm", "two\nlines\x1b[31m", ["adamw"])


@pytest.mark.parametrize("error", [SpecError, StoreError, AttachError])
def test_every_error_can_be_caught_as_one(error):
    with pytest.raises(AnglewiseError, match="^what$"):
        raise error("what")


def test_control_an_error_of_python_is_none_of_ours():
    assert not issubclass(TypeError, AnglewiseError)
