"""Error models as text: round trips, and messages for texts that describe none."""

import pytest

from jscale import fit
from jscale._core.errors import JscaleError

TEXTS = [
    "normal",
    "student",
    "student(7)",
    "student(0.5)",
    "student(free)",
    "outliers + known",
    "one-sided + additive + known",
    "normal + scale(C, D/N) + scale-by(group) + effects(trunk, seed) + discrepancy(N, D)",
    "normal + effects + discrepancy",
    'normal + effects("run (old)", "a, b")',
]
BAD = {
    "": "empty term",
    "norma": "did you mean 'normal'?",
    "normal + ": "empty term",
    "normal + knwon": "did you mean 'known'?",
    "additive + normal": "begins with 'additive'; expected normal, student, outliers or one-sided",
    "normal + student": "two families, normal and student",
    "normal(3)": "only student takes one",
    "student(x)": "degrees of freedom or 'free'",
    "student(3, 4)": "degrees of freedom or 'free'",
    "student(-1)": "above 0",
    "student(inf)": "above 0",
    "normal + known + known": "'known' twice",
    "normal + known(loss_se)": "takes none",
    "normal + scale": "without columns",
    "normal + scale(C, C)": "names 'C' twice",
    "normal + scale(C": "open parenthesis",
    "normal + scale(C))": "parentheses that do not match",
    "normal + scale(C,)": "empty argument",
    "normal + effects()": "empty argument",
    "normal + scale-by(a, b)": "without one column",
    "normal + known known": "expected terms such as normal",
    "n" * 3000: "3,000 characters",
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_written_as_it_was_read(text):
    errors = fit.ErrorModel.parse(text)
    assert str(errors) == text
    assert fit.ErrorModel.parse(str(errors)) == errors
    assert eval(repr(errors), {"ErrorModel": fit.ErrorModel}) == errors
    assert hash(errors) == hash(fit.ErrorModel.parse(text))


def test_spaces_do_not_matter():
    spaced = fit.ErrorModel.parse(" normal+scale( C ,D/N )  +  known")
    assert spaced == fit.ErrorModel("normal", scale=("C", "D/N"), known=True)


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_wrong_text_is_named(text):
    with pytest.raises(JscaleError) as error:
        fit.ErrorModel.parse(text)
    assert BAD[text] in str(error.value)
    assert str(error.value).startswith("errors: ")
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": "gauss"}, "'gauss' is not a family"),
        ({"family": None}, "None is not a family"),
        ({"family": "normal", "nu": 3}, "belongs to the family 'student'"),
        ({"nu": True}, "degrees of freedom"),
        ({"known": "loss_se"}, "known must be True or False"),
        ({"scale": 3}, "scale must be names of columns"),
        ({"effects": ("group", "group")}, "twice"),
        ({"effects": (" group",)}, "plain name of a column"),
        ({"scale_by": ("a", "b")}, "scale_by must be a name of a column"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(JscaleError, match=message):
        fit.ErrorModel(**arguments)


def test_one_column_may_be_given_without_a_tuple():
    assert fit.ErrorModel("normal", effects="group").effects == ("group",)
    assert fit.ErrorModel("student", nu=4) == fit.ErrorModel()
