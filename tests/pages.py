"""What tests do with a page in a browser: open it, move its slider, choose networks and units, read what it shows."""

import json
from pathlib import Path

from tests.browser import Browser

# A change is drawn in the next frame, some of it when the network is unpacked, which takes a moment more.
DRAWN = "new Promise(done => requestAnimationFrame(() => setTimeout(() => requestAnimationFrame(done))))"


def opened(browser: Browser, page: Path) -> None:
    browser.complaints.clear()
    browser.requests.clear()
    browser.open(page.as_uri())
    browser.wait("document.querySelector('.life').dataset.ready === ''")


def text(browser: Browser, chosen: str) -> str:
    return browser.value(f"document.querySelector({json.dumps(chosen)}).innerText.trim()")


def texts(browser: Browser, chosen: str) -> list[str]:
    return browser.value(f"[...document.querySelectorAll({json.dumps(chosen)})].map(each => each.textContent.trim())")


def move_to(browser: Browser, step: int) -> None:
    slider = "document.getElementById('step')"
    browser.value(
        f"{slider}.value = {step}; {slider}.dispatchEvent(new Event('input')); new Promise(requestAnimationFrame)"
    )
    browser.value("new Promise(requestAnimationFrame)")


def play(browser: Browser, name: str, group: str = "") -> None:
    """Choose a network, and wait until it is unpacked."""
    chosen = f"optgroup[label='{group}'] option" if group else "option"
    option = (
        f"[...document.querySelectorAll({json.dumps(chosen)})].find(each => each.textContent === {json.dumps(name)})"
    )
    browser.value(f"""(() => {{
        const life = document.querySelector('.life'), select = document.getElementById('strand');
        delete life.dataset.ready;
        select.value = {option}.value;
        select.dispatchEvent(new Event('change'));
    }})()""")
    browser.wait("document.querySelector('.life').dataset.ready === ''")


def press(browser: Browser, *keys: str) -> None:
    for key in keys:
        event = f"new KeyboardEvent('keydown', {{ key: '{key}' }})"
        browser.value(f"document.getElementById('network').dispatchEvent({event})")
    browser.value(DRAWN)


def unit_facts(browser: Browser) -> dict[str, str]:
    return dict(zip(texts(browser, "#unit dt"), texts(browser, "#unit dd"), strict=True))


def percent(share: float) -> str:
    return f"{100 * share:.2f} %"
