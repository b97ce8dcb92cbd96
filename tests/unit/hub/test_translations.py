"""The catalogues: complete, and as the source is. `make translations` mends what is found here, but for the French."""

import ast
import re
from string import Formatter

import pytest

from hub import translations
from hub.install import LOCALES, SOURCE
from hub.translations import update
from spawner_profiles import words

LANGUAGES = pytest.mark.parametrize("language", LOCALES)
#: French for a French reader too: `msgstr` may be as `msgid`.
SAME = {"Application", "Actions", "Job {job_id}", "Partition %(name)s", "Notebook CPU"}


def strings(message):
    """(text, its translation), for each form of a plural."""
    if isinstance(message.id, str):
        return [(message.id, message.string)]
    return [(message.id[min(form, 1)], string) for form, string in enumerate(message.string)]


def placeholders(text):
    """What is filled in: %(x)s, {x}, %1 and the tags."""
    braces = {name for _, name, _, _ in Formatter().parse(text) if name} if "{" in text else set()
    return sorted(braces) + sorted(re.findall(r"%\(\w+\)s|%\d|%[HMdBm]|<[^>]+>|`[^`]+`", text))


@LANGUAGES
def test_a_catalogue_is_as_the_source_is(language):
    assert (translations.HERE / f"{language}.po").read_text(encoding="utf-8") == update.updated(language), \
        "run `make translations`"
    assert update.lab_file(language).read_text(encoding="utf-8") == update.for_lab(language), "run `make translations`"


@LANGUAGES
def test_everything_is_translated_with_the_same_placeholders(language):
    catalogue = update.read(language)
    assert len(catalogue) > 200 and not catalogue.obsolete
    for message in catalogue:
        if not message.id:
            continue
        assert not message.fuzzy, message.id
        for text, translated in strings(message):
            assert translated, f"not translated: {text}"
            same = placeholders(text) == placeholders(translated)
            assert same or text == "%H:%M on %d %B", f"{text!r} and {translated!r}"
            prose = re.search(r"[a-z]{3}", re.sub(r"%\(\w+\)s|{\w+}", "", text))
            assert translated != text or text in SAME or not prose, text


@LANGUAGES
def test_a_translation_ends_as_the_text_does(language):
    """A reason goes into a sentence: it has no full stop and no capital letter; a sentence has both."""
    for message in update.read(language):
        for text, translated in strings(message):
            if text and text[-1] in ".…:":
                assert translated[-1] == text[-1], translated
            elif text:
                assert translated[-1] not in ".…:", translated
            if "spawner_profiles/slurm_words.py" in dict(message.locations) and text[0].islower():
                assert translated[0].islower(), translated


def test_texts_that_a_shell_prints_have_nothing_for_the_shell():
    """spawner_profiles.modules and .private_file put them between double quotes."""
    for message in update.read("fr"):
        if {"spawner_profiles/modules.py", "spawner_profiles/private_file.py"} & dict(message.locations).keys():
            assert not set('"$`\\!') & set(message.id + message.string), message.id


def test_no_function_loses_its_translator_to_a_placeholder():
    """``_`` is also what Python calls a value that nobody needs."""
    for path in [*(SOURCE / "hub").rglob("*.py"), *(SOURCE / "spawner_profiles").rglob("*.py")]:
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                called = {node.func.id for node in ast.walk(function)
                          if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
                assigned = {node.id for node in ast.walk(function)
                            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
                assert "_" not in called & assigned, f"{path}: {function.name}"


@pytest.fixture
def french():
    before = words.language, words._translations, words._decimal_mark
    translations.speak("fr")
    yield
    words.speak(*before)


def test_messages_of_the_spawner(french):
    from spawner_profiles.jobs import Job, Phase
    from spawner_profiles.profiles import Profile, Refused, choose
    from spawner_profiles.progress import describe
    from spawner_profiles.slurm import parse_queue

    told = parse_queue("7|ada|PENDING|gpu||N/A|Resources\n8|ada|TIMEOUT|gpu|n1|N/A|None\n9|ada|PENDING|gpu||N/A|Odd")
    assert [job.reason for job in told.values()] == [
        "tous les nœuds qui conviennent sont occupés", "son temps était écoulé", "réponse de Slurm\u00a0: Odd"]
    event = describe("7", told["7"], silent=False, listening=False)
    assert event["message"] == ("Job 7 dans la file d'attente\u00a0: "
                                "tous les nœuds qui conviennent sont occupés (position 1)")
    event = describe("7", Job("7", "ada", Phase.RUNNING, node="n1"), silent=False, listening=False)
    assert event["message"] == "Job 7 sur n1\u00a0; JupyterLab démarre"
    profile = Profile(key="cpu", title="x", partition="cpu", memory=1536)
    assert profile.memory_text == "1,5 Go"
    with pytest.raises(Refused, match="il n'y a pas de profil 'gone'"):
        choose([profile], {"profile": "gone"})


def test_plurals_and_what_the_catalogue_does_not_have(french):
    assert words._("") == "", "not the head of the catalogue"
    assert words._("A title of an admin's own") == "A title of an admin's own"
    many = "You can run one more machine at the same time, with a name.", \
        "You can run up to %(number)s more machines at the same time, each with a name."
    assert "une autre machine" in words.ngettext(*many, 1) and "autres machines" in words.ngettext(*many, 3)


def test_english_loads_no_catalogue():
    before = words._translations
    translations.speak("en")
    assert words._translations is before and words.language == "en"
