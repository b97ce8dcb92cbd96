"""What the bonus notebooks are built on: the law of growth, and figures that say what they show."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch", reason="needs the kernel's Python")

from mandrill import exported, generated, growth


def texts(picture) -> set[str]:
    return {text.get_text() for text in picture.figure.findobj(lambda found: hasattr(found, "get_text"))}


def test_the_mass_obeys_the_law_and_the_published_ages():
    ages = np.linspace(0, 12, 10_001)
    mass = growth.mass_at(ages)
    slope = np.gradient(np.log(mass), ages)
    assert np.allclose(slope[1:-1], (growth.RATE * np.log(growth.ADULT_KG / mass))[1:-1], atol=1e-4)
    assert mass[0] == pytest.approx(growth.BIRTH_KG)
    assert growth.mass_at(7) / growth.ADULT_KG == pytest.approx(0.95, abs=0.01)
    assert 30 / 3.4 < growth.ADULT_KG < 35 / 3.4


def test_weighings_are_near_the_law_and_the_same_each_time():
    weighings = growth.weigh(count=200, error=0.05)
    wrong = np.log(weighings.masses / growth.mass_at(weighings.ages))
    assert 0.04 < wrong.std() < 0.06
    assert np.array_equal(weighings.masses, growth.weigh(count=200, error=0.05).masses)
    inside, outside = growth.errors(weighings, lambda ages: growth.mass_at(ages) + (ages > 3))
    assert inside == 0 and 0.5 < outside < 1
    assert growth.LABEL in texts(growth.picture(weighings))
    with pytest.raises(ValueError, match="count=1"):
        growth.weigh(count=1)


@pytest.mark.parametrize("synthetic, said", [(True, "made by a network, from synthetic faces"),
                                             (False, "made by a network, from photos")])
def test_generated_faces_say_that_they_are(synthetic, said):
    faces = pd.DataFrame({"synthetic": [synthetic]})
    pictures = np.zeros((2, 3, 8, 8, 3))
    assert said in texts(generated.grid(faces, pictures, rows=["a", "b"], columns=["x", "y", "z"]))
    assert said in texts(generated.judged(faces, [1, 2], [2, 3]))
    rebuilt = texts(generated.grid(faces, pictures, how="rebuilt"))
    assert said.replace("made by a network", "rebuilt") in rebuilt


def test_the_race_shows_times_a_photo_and_its_winner():
    picture = exported.race({1: {"slow": 0.004, "fast": 0.001}, 32: {"slow": 0.032, "fast": 0.064}}, threads=1)
    assert {"4.00", "1.00", "2.00", "1 photo at a time", "32 photos at once", "1 thread"} <= texts(picture)
    blue = [[bar.get_facecolor()[2] > bar.get_facecolor()[0] for bar in axis.patches] for axis in picture.figure.axes]
    assert blue == [[False, True], [True, False]]
