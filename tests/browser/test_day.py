"""The day of an attendee, in a browser: log in, choose, wait, JupyterLab, the notebook to its last line, log out."""

import re
import time

import pytest
from playwright.sync_api import expect

READY_MS = 90_000
#: The notebook trains on 2 CPUs, which the test's browser shares with it.
NOTEBOOK_MS = 300_000


def test_a_wrong_password_is_told_kindly(platform, visitor):
    guest = visitor()
    guest.log_in("mh-ada", "not-the-password")
    expect(guest.page.get_by_text("The user name or the password is not right")).to_be_visible()
    guest.keep("login-wrong")


def test_the_cards_are_clear_on_a_phone(platform, visitor, ada):
    phone = visitor(is_mobile=True, has_touch=True, device_scale_factor=2)
    phone.page.set_viewport_size({"width": 390, "height": 844})
    phone.log_in("mh-ada", platform.passwords["mh-ada"])
    expect(phone.page.get_by_role("button", name=re.compile("Start"))).to_have_count(4)
    phone.keep("cards-phone", full_page=True)
    width = phone.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, f"the page is {width} px wide on a phone of 390"


@pytest.mark.parametrize("profile, title", [("cpu", "CPU notebook"), ("gpu", "GPU notebook")])
@pytest.mark.timeout(480)
def test_from_the_login_to_the_age_error(platform, visitor, ada, note, profile, title):
    guest = visitor()
    page = guest.page
    guest.open("/")
    guest.keep("login")
    guest.log_in("mh-ada", platform.passwords["mh-ada"])
    card = page.locator("article, section, li, div").filter(has=page.get_by_role("heading", name=title)).last
    expect(card).to_contain_text("free now")
    if profile == "gpu":
        expect(card).to_contain_text(re.compile("emulated: no GPU on this machine", re.IGNORECASE))
    guest.keep("cards")
    pressed = time.monotonic()
    page.locator(f"button[name=profile][value={profile}]").click()
    page.wait_for_url(re.compile("/spawn-pending/|/user/"))  # a quick server is there at once
    guest.keep(f"waiting-{profile}")
    page.wait_for_url("**/user/mh-ada/lab/**", timeout=READY_MS)
    expect(page.get_by_role("tab", name=re.compile("prerequisites.ipynb"))).to_be_visible(timeout=READY_MS)
    expect(page.get_by_role("heading", name="Before the day: are you ready?")).to_be_visible()
    note(f"{profile}: Start to JupyterLab with the first notebook on screen: {time.monotonic() - pressed:.1f} s")
    guest.keep(f"lab-{profile}")

    platform.solve("mh-ada", "03_regression")
    guest.open("/user/mh-ada/lab/tree/mandrill/03_regression/mandrill_regression.ipynb?reset")
    expect(page.get_by_role("heading", name="How old is this mandrill?")).to_be_visible(timeout=READY_MS)

    page.get_by_role("menuitem", name="Run", exact=True).click()
    begin = time.monotonic()
    page.get_by_role("menuitem", name=re.compile("^Run All Cells")).click()
    result = page.locator(".jp-OutputArea-output").filter(has_text="Your model's mean absolute error").last
    expect(result).to_contain_text(re.compile(r"\d\.\d+ years"), timeout=NOTEBOOK_MS)
    note(f"{profile}: the notebook from top to bottom: {time.monotonic() - begin:.1f} s; {result.inner_text()}")
    result.scroll_into_view_if_needed()
    guest.keep(f"result-{profile}")
    for name in ("2. The photos", "6. Train", "7. How good is it?"):
        page.get_by_role("heading", name=name).scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        guest.keep(f"notebook-{profile}-{name.split('.')[0]}")
    error = float(re.search(r"error: (\d+\.\d+) years", result.inner_text())[1])
    mean = float(re.search(r"mean: (\d+\.\d+)", result.inner_text())[1])
    assert error < mean / 2, "the model learned something"
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']").count() == 0
    if profile == "gpu":
        expect(page.locator(".jp-Notebook")).to_contain_text(re.compile("emulated: no GPU on this machine"))
    assert not guest.errors, guest.errors
    assert not guest.outside, f"the page asked other hosts: {guest.outside}"

    guest.open("/hub/home")
    guest.keep("home")
    stop = re.compile("Stop")
    page.get_by_role("button", name=stop).or_(page.get_by_role("link", name=stop)).first.click()
    deadline = time.monotonic() + 30
    while ada.server() is not None:
        assert time.monotonic() < deadline, "Stop did not stop the server"
        time.sleep(0.5)
    guest.open("/hub/home")
    page.get_by_role("link", name="Log out").or_(page.get_by_role("button", name="Log out")).first.click()
    expect(page.get_by_label("User name").or_(page.get_by_text("logged out")).first).to_be_visible()
    guest.keep("logged-out")
    guest.open("/hub/home")
    expect(page.get_by_label("User name")).to_be_visible()


def test_the_waiting_page_says_why_and_can_be_left(platform, visitor, ada, bela):
    ada.start("rare")
    guest = visitor()
    guest.log_in("mh-bela", platform.passwords["mh-bela"])
    # The page asks again every 15 s.
    expect(guest.page.get_by_text(re.compile("All busy"))).to_be_visible(timeout=20_000)
    guest.keep("cards-busy")
    guest.page.locator("button[name=profile][value=rare]").click()
    expect(guest.page.get_by_role("status")).to_contain_text("All nodes that fit are busy", timeout=15_000)
    guest.keep("waiting-queued")
    guest.page.get_by_role("button", name="Cancel").click()
    guest.page.wait_for_url(re.compile(r"/hub/spawn(/mh-bela)?(\?.*)?$"))
    assert bela.server() is None
    assert "mh-bela" not in platform.slurm("squeue", "--noheader", "--states=PD,R", "--format=%u")


def test_another_persons_server_is_closed(platform, visitor, ada):
    ada.start("small")
    guest = visitor()
    guest.log_in("mh-bela", platform.passwords["mh-bela"])
    expect(guest.page.get_by_role("button", name=re.compile("Log out")).or_(
        guest.page.get_by_role("link", name="Log out")).first).to_be_visible()
    answer = guest.open("/user/mh-ada/lab")
    assert answer.status in (403, 404)
    guest.keep("closed")


def test_a_refused_profile_shows_its_reason(platform, visitor, ada):
    guest = visitor()
    guest.log_in("mh-ada", platform.passwords["mh-ada"])
    answer = guest.open("/hub/spawn/mh-ada?opt-profile=cpu&opt-memory=64000")
    assert answer.status == 400
    expect(guest.page.get_by_text("memory: cannot be chosen")).to_be_visible()
    guest.keep("refused")
