"""The pages in French on a real JupyterHub: what a person meets, and no English left on it."""

import json
import re

import pytest
from hub_with_pages import Browser, started, words

from hub.translations import update


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with started(tmp_path_factory.mktemp("hub"), language="fr") as hub:
        yield hub


def english():
    """The texts of the pages that are told from French and from each other: of three words or more."""
    for message in update.read("fr"):
        texts = [message.id] if isinstance(message.id, str) else message.id
        for text in texts:
            for part in re.split(r"%\(\w+\)s|{\w+}|<[^>]+>", text):
                if len(part.split()) > 2:
                    yield " ".join(part.split())


ENGLISH = sorted(set(english()))


def read(page):
    """What is read, shown as a hint, or handed to a script."""
    attributes = re.findall(r'(?:title|aria-label|placeholder|value|data-\w+)="([^"]*)"', page)
    config = re.search(r'id="mh-config">(.*?)</script>', page, re.DOTALL)
    texts = json.dumps(json.loads(config[1]).get("texts"), ensure_ascii=False) if config else ""
    body = re.sub(r"<(script|noscript)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join([words(body).replace("&#39;", "'"), *attributes, texts])


def check(page, *expected):
    told = read(page)
    assert '.lang = "fr"' in page
    assert not [text for text in ENGLISH if text in told]
    for text in expected:
        assert text in told, told


def test_there_is_something_to_find():
    assert len(ENGLISH) > 100


def test_login_and_a_wrong_password(hub):
    browser = Browser(hub)
    check(browser.open("/hub/login")[2], "Identifiant", "Mot de passe", "Se connecter")
    check(browser.login("student", "wrong")[2], "L'identifiant ou le mot de passe est incorrect.")


@pytest.mark.parametrize("path, expected", [
    ("/hub/home", ["Bonjour student", "Vous n'avez aucune machine en marche", "Se déconnecter"]),
    ("/hub/spawn", ["choisissez une machine", "1 sur 2 de libre, 3 en attente", "Tout est pris : vous seriez en tête",
                    "1 CPU", "sans GPU", "Démarrer", "Chiffres mis à jour toutes les 15 secondes."]),
    ("/hub/token", ["Demander un nouveau jeton", "dans un jour"]),
    ("/hub/nowhere", ["Cette page n'existe pas", "Erreur 404"]),
    ("/hub/admin", ["Vous n'avez pas accès à cette page"]),
    ("/hub/user/student/lab", ["Votre machine n'est pas en marche"]),
    ("/hub/logout", ["Se connecter"]),
])
def test_pages(hub, path, expected):
    hub.state.write_text(json.dumps({"cpu": {"free": 1, "total": 2, "waiting": 3},
                                     "bad": {"free": 0, "total": 2, "waiting": 0}}))
    browser = Browser(hub)
    browser.login("student")
    check(browser.open(path)[2], *expected)


def test_waiting_then_failure(hub):
    browser = Browser(hub)
    browser.login("unlucky")
    page = browser.spawn("bad")[2]
    check(page, "Demande envoyée", "File d'attente", "Vous attendez depuis", "C'est bientôt votre tour.")
    config = json.loads(re.search(r'id="mh-config">(.*?)</script>', page)[1])
    browser.open(config["progress_url"])
    check(browser.open("/hub/spawn-pending/unlucky")[2], "Votre machine n'a pas démarré")


@pytest.mark.parametrize("name, expected", [
    ("unlucky-once", ["Votre machine s'est arrêtée à 14:03", "Vos fichiers sont intacts.", "Redémarrer"]),
    ("in-line", ["Votre démarrage a été interrompu"]), ("gone", ["Votre machine :"])])
def test_how_it_ended(hub, name, expected):
    browser = Browser(hub)
    browser.login(name)
    for path in ("/hub/home", f"/hub/user/{name}/lab"):
        # the spawner of these tests tells its reason itself, in English
        page = re.sub("its (&lt;node&gt; failed|time was over)", "…", browser.open(path)[2])
        check(page, *expected)
