"""Every example that an error suggests is itself understood, over all laws."""

import re

import pytest

from jscale import JscaleError, assess, laws
from jscale.cli.forecasting import points
from jscale.fit.predictions import example

KINDS = ("loss", "N_opt", "D_opt", "P_opt", "D_crit", "a")
BY_NAME = {laws.describe(law).name: law for law in laws.catalogue}


@pytest.mark.parametrize("name", BY_NAME)
def test_the_example_of_a_point_is_a_point(name: str):
    law = BY_NAME[name]
    text = example(laws.describe(law))
    assert list(points.points_of(law, [text], None).columns)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_example_of_a_target_is_a_target(name: str):
    law = BY_NAME[name]
    for kind in KINDS:
        try:
            assess.quantity(law, kind)
        except JscaleError as error:
            suggested = re.search(r"such as ([^()]*)", str(error))
            for text in suggested[1].split(" or ") if suggested else ():
                assess.quantity(law, text)
