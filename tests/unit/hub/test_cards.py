"""The cards of the start page, and the texts and files of all pages."""

import asyncio
import re
from types import SimpleNamespace

import pytest
from hub_with_pages import words

from hub.pages import STATIC, TEMPLATES, cards


def profile(key="cpu", **changes):
    described = {
        "key": key,
        "title": "Small machine",
        "description": "For reading.",
        "cpus": 1,
        "memory_text": "2 GB",
        "gpus": 0,
        "gpu_model": None,
        "emulated": False,
        "walltime_text": "4 h",
        "partition": "course",
    }
    return SimpleNamespace(**(described | changes))


def figures(free, total=16, waiting=0):
    return SimpleNamespace(free=free, total=total, waiting=waiting)


def render(*catalog, **capacity):
    async def availability():
        return capacity

    spawner = SimpleNamespace(catalog=catalog, availability=availability)
    return asyncio.run(cards.profile_cards(spawner))


def test_a_card_says_what_it_is_and_posts_its_key():
    html = render(profile(gpus=1, gpu_model="A100", cpus=4), cpu=figures(14))
    assert {"4 CPUs", "2 GB memory", "1 × A100", "up to 4 h"} <= set(
        re.findall(r"<dd>(.*?)</dd>", html)
    )
    assert re.search(r'<button type="submit" name="profile" value="cpu"', html)
    assert "<select" not in html and "<form" not in html


def test_texts_of_a_profile_are_escaped():
    hostile = '<script>alert("x")</script>'
    html = render(
        profile(title=hostile, description=hostile, gpus=1, gpu_model=hostile), cpu=figures(1)
    )
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 4  # heading, description, model, data-title
    assert 'alert("x")' not in html


def test_the_emulated_badge_is_only_on_what_is_emulated():
    html = render(
        profile("real", gpus=1), profile("fake", gpus=1, emulated=True), real=figures(1), fake=figures(1)
    )
    real, fake = html.split('data-key="fake"')
    assert "no GPU on this machine" in fake
    assert "no GPU on this machine" not in real


@pytest.mark.parametrize(
    ("found", "text", "label"),
    [
        (figures(14), "14 of 16 free now", "Start"),
        (figures(2, waiting=1), "2 of 16 free now, 1 waiting", "Start"),
        (figures(0, waiting=3), "All busy: 3 waiting, you would queue", "Join the queue"),
        (figures(0), "you would be first in the queue", "Join the queue"),
        (figures(None), "The scheduler does not answer right now", "Start"),
        (figures(0, total=0), "None is switched on right now", "Start"),
    ],
)
def test_what_is_free_is_said_in_words(found, text, label):
    html = render(profile(), cpu=found)
    assert text in words(html)
    assert re.search(r'class="mh-start-text">(.*?)<', html)[1] == label


def test_a_profile_that_the_scheduler_forgets_is_unknown():
    assert "does not answer" in words(render(profile("a"), profile("b"), a=figures(1)))


def test_a_scheduler_that_fails_leaves_the_cards_usable():
    async def availability():
        raise ConnectionError("no scheduler")

    html = asyncio.run(
        cards.profile_cards(SimpleNamespace(catalog=[profile()], availability=availability))
    )
    assert "does not answer" in words(html)
    assert 'value="cpu"' in html


def test_a_scheduler_that_hangs_is_not_waited_for_and_not_interrupted(monkeypatch):
    monkeypatch.setattr(cards, "PATIENCE_S", 0.05)
    ended = []

    async def availability():
        await asyncio.sleep(0.3)
        ended.append(True)
        return {"cpu": figures(5)}

    async def both():
        read = await cards.read_capacity(availability, ["cpu"])
        assert not ended
        await asyncio.sleep(0.4)
        return read

    assert asyncio.run(both()) == {"cpu": {"free": None, "total": 0, "waiting": 0}}
    assert ended, "a query that others may share was cancelled"


def test_the_scripts_use_only_texts_that_exist():
    texts = cards._templates.get_template("mandrillhub/texts.html").module.texts
    waiting = set(re.findall(r"\btexts\.(\w+)", (STATIC / "waiting.js").read_text())) - {"wait"}
    assert len(waiting) > 10
    assert waiting <= set(texts["wait"])
    used = re.findall(r"\btexts\.(\w+)\.(\w+)", (STATIC / "profiles.js").read_text())
    assert len(used) >= 5
    for part, name in used:
        assert name in texts[part]


def test_nothing_is_loaded_from_elsewhere():
    pages = [path for path in [*STATIC.iterdir(), *TEMPLATES.rglob("*.html")]]
    assert len(pages) > 15
    for path in pages:
        found = re.sub(r'xmlns="[^"]*"', "", path.read_text())
        assert not re.search(r"https?:|url\(\s*['\"]?//|@import", found), path
