"""`language: fr` as an attendee meets it: pages, the queue, JupyterLab and its warnings; screenshots to look at."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from tests.browser.test_warnings import ALERT, SLIDE_IN_MS, pretend, time_left
from tests.live import HERE

READY_MS = 90_000


@pytest.fixture
def french(platform):
    """The platform in French, and in English again afterwards."""
    notebooks = platform.layout.homes / "mh-ada/mandrill"  # those of before stay as they are
    shutil.rmtree(notebooks, ignore_errors=True)
    platform.make("up", WORKSHOP=HERE / "workshop-fr.yml")
    yield platform
    platform.make("up")
    shutil.rmtree(notebooks, ignore_errors=True)


@pytest.mark.timeout(300)
def test_a_day_in_french(french, visitor, ada, bela):
    guest = visitor(locale="fr-FR")
    page = guest.page
    guest.open("/hub/login")
    guest.keep("fr-login")
    page.get_by_label("Identifiant").fill("mh-ada")
    page.get_by_label("Mot de passe", exact=True).fill(french.passwords["mh-ada"])
    page.get_by_role("button", name="Se connecter").click()
    expect(page.get_by_role("heading", name="Bonjour mh-ada, choisissez une machine")).to_be_visible()
    expect(page.get_by_role("heading", name="Notebook GPU")).to_be_visible()
    expect(page.get_by_text("2 sur 2 de libre")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "fr"
    guest.keep("fr-cards", full_page=True)

    assert guest.open("/hub/spawn/mh-ada?opt-profile=cpu&opt-memory=64000").status == 400
    expect(page.get_by_text("memory : ce choix n'est pas possible ; la seule option est")).to_be_visible()
    guest.keep("fr-refused")

    bela.start("rare")
    guest.open("/hub/spawn")
    page.locator("button[name=profile][value=rare]").click()
    status = page.locator("#progress-message")
    expect(status).to_contain_text("C'est bientôt votre tour. Tous les nœuds qui conviennent sont occupés.",
                                   timeout=15_000)
    page.get_by_text("Détails").click()
    expect(page.locator("#progress-log")).to_contain_text("dans la file d'attente")
    swap = page.get_by_role("button", name="Prendre plutôt Petit notebook")
    expect(swap).to_be_visible(timeout=20_000)
    guest.keep("fr-waiting", full_page=True)
    pretend(page, idle_since=-50 * 60)
    swap.click()
    page.wait_for_url("**/user/mh-ada/lab**", timeout=READY_MS)

    expect(page.get_by_role("menuitem", name="Fichier", exact=True)).to_be_visible(timeout=READY_MS)
    expect(time_left(page)).to_have_text(re.compile(r"^reste (30|29|28) min$"), timeout=READY_MS)
    alert = page.locator(ALERT).filter(has_text="Rien n'a tourné ici depuis 50 min")
    expect(alert).to_contain_text("ce serveur s'arrête à", timeout=READY_MS)
    expect(page.get_by_role("heading", name="Avant le jour J")).to_be_visible(timeout=READY_MS)
    page.wait_for_timeout(SLIDE_IN_MS)
    guest.keep("fr-lab")
    page.get_by_role("menuitem", name="Paramètres", exact=True).click()
    page.locator(".lm-Menu-item").filter(has_text="Langue").click()
    expect(page.locator(".lm-Menu-item").filter(has_text="- English")).to_be_visible()
    guest.keep("fr-lab-language")

    guest.open("/hub/home")
    expect(page.get_by_role("heading", name="Votre machine est en marche")).to_be_visible()
    guest.keep("fr-home")
    guest.open("/hub/nowhere")
    guest.keep("fr-404")
    guest.open("/hub/token")
    guest.keep("fr-token", full_page=True)
    page.unroute_all(behavior="ignoreErrors")  # the lab may still have asked
    assert not guest.errors, guest.errors
    assert not guest.outside, guest.outside
