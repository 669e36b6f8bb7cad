"""The pages of small runs, opened in a browser that can reach nothing: what they show is what the tables say."""

from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
from tests.browser import CHROMIUM, Browser
from tests.pages import move_to, opened, percent, play, press, text, texts, unit_facts

from karikomi.runs.checkpoint import read_network
from karikomi.studies import find_study
from karikomi.studies.ageing.settings import AgeingSettings
from karikomi.studies.grow.settings import GrowSettings
from karikomi.studies.importance.settings import ImportanceSettings
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.settings import StudySettings

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the page with")

COMMON = {"network": "mlp-12-8", "replicates": 2, "iterations": 40, "batch": 20, "validation": 200}
COMMON |= {"validate_every": 20}
SCORED = {"criteria": ("in-strength", "taylor"), "scoring": 150}
STUDIES: dict[str, tuple[type[StudySettings], dict[str, Any]]] = {
    "lottery": (LotterySettings, {"rounds": 3, "rate": 0.5, "arms": ("dense", "ticket", "reinit")}),
    "grow": (GrowSettings, {"densities": (0.3, 0.1), "every": 10, "ticket_rate": 0.5, "observations": 4}),
    "ageing": (AgeingSettings, {"deaths": 2, "cycles": 3, "retraining": 10, "scoring": 150, "learning_rate": 0.01}),
    "lesion": (LesionSettings, {**SCORED, "orders": 3, "learning_rate": 0.01}),
    "importance": (ImportanceSettings, {**SCORED, "shapley": 3, "pairs": 4, "learning_rate": 0.01}),
}


@pytest.fixture(scope="module")
def results(tiny, tmp_path_factory) -> dict[str, Result]:
    top = tmp_path_factory.mktemp("viewer")
    # Images for a paper take longer than all the rest, and are tested elsewhere.
    with mock.patch("karikomi.figures.save.save"):
        return {
            name: run(find_study(name), settings.of(data=tiny, **COMMON, **own), out=top / name, quiet=True)
            for name, (settings, own) in STUDIES.items()
        }


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile"), 1300) as browser:
        yield browser


@needs_browser
@pytest.mark.parametrize("name", STUDIES)
def test_the_page_is_whole_quiet_and_light(results, browser, name):
    page = results[name].page
    assert page.stat().st_size < 5_000_000
    opened(browser, page)
    browser.wait("[...document.querySelectorAll('.card')].every(card => card.querySelector('.marks'))")
    for step in range(int(browser.value("document.getElementById('step').max")) + 1):
        move_to(browser, step)
    press(browser, "ArrowDown", "Enter")
    assert browser.complaints == []
    assert {address for address in browser.requests if not address.startswith("data:")} == {page.as_uri()}
    assert browser.value("document.documentElement.scrollWidth <= innerWidth")
    assert len(text(browser, "header p").split()) <= 25


@needs_browser
@pytest.mark.parametrize("name", STUDIES)
def test_the_page_can_be_used_within_a_second(results, browser, name):
    ready = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
    # Other processes make a load slower, none makes it faster: one of ten is enough.
    for _ in range(10):
        opened(browser, results[name].page)
        if browser.value(ready) < 1000:
            return
    pytest.fail(f"it takes {browser.value(ready):.0f} ms")


@needs_browser
@pytest.mark.parametrize("name", STUDIES)
def test_on_a_phone_nothing_scrolls_sideways(results, tmp_path, name):
    with Browser(tmp_path, 500) as narrow:
        opened(narrow, results[name].page)
        narrow.value("document.body.style.width = '400px'; new Promise(requestAnimationFrame)")
        wide = "[...document.querySelectorAll('header, main > *, .stage > *')].filter(each => each.scrollWidth > 402)"
        assert narrow.value(f"{wide}.map(each => each.className)") == []


@needs_browser
def test_a_lottery_shows_its_tickets(results, browser):
    result = results["lottery"]
    opened(browser, result.page)
    first = result.table[result.table["replicate"] == 0].set_index(["arm", "round"])
    for number in range(4):
        move_to(browser, number)
        row = first.loc[("ticket" if number else "dense", number)]
        assert text(browser, "#accuracy") == percent(row["test_accuracy"])
        assert text(browser, "#step-name").startswith(f"round {number}, ")
        ticket = result.network(0, round=number).trained
        press(browser, "Escape", "ArrowDown", "ArrowUp", "Enter")
        assert text(browser, "#unit h3") == "fc1, unit 0"
        facts = unit_facts(browser)
        assert facts["links into it"] == str(ticket.masks["fc1.weight"][0].sum())
        assert facts["links out of it"] == str(ticket.masks["fc2.weight"][:, 0].sum())
        dots = "document.getElementById('mask-0').getContext('2d').getImageData(0, 0, 196, 12).data"
        shown = np.array(browser.value(f"[...{dots}].filter((_, i) => i % 4 === 3).map(alpha => alpha > 0)"))
        alive = ticket.masks["fc2.weight"].any(axis=0) & ticket.masks["fc1.weight"].any(axis=1)
        assert (shown.reshape(12, 196)[alive] == ticket.masks["fc1.weight"][alive]).all()


@needs_browser
def test_a_click_chooses_a_unit(results, browser):
    opened(browser, results["lottery"].page)
    found = browser.value("""(() => {
      const canvas = document.getElementById('network'), box = canvas.getBoundingClientRect();
      for (let y = 20; y < box.height; y += 5) {
        for (let x = box.width / 4; x < box.width / 2; x += 5) {
          canvas.dispatchEvent(new MouseEvent('click', { clientX: box.left + x, clientY: box.top + y }));
          if (document.getElementById('said').textContent.startsWith('fc1')) return true;
        }
      }
      return false;
    })()""")
    assert found
    browser.wait("document.querySelector('#unit h3')")
    assert text(browser, "#unit h3").startswith("fc1, unit ")
    assert browser.value("document.querySelectorAll('#unit canvas').length") == 1


@needs_browser
def test_growing_networks_by_arm_and_density(results, browser):
    result = results["grow"]
    opened(browser, result.page)
    curves = result.tables["curves"].query("replicate == 0")
    for density, group in ((0.1, "10 % of the links"), (0.3, "30 % of the links")):
        play(browser, "RigL", group)
        move_to(browser, 4)
        own = curves[(curves["arm"] == "rigl") & (curves["density"] == density)]
        assert text(browser, "#accuracy") == percent(own["validation_accuracy"].iloc[-1])
        press(browser, "ArrowDown", "ArrowUp")
        saved = next(
            one
            for one in result.study.saved(result.folder)
            if one.where == {"replicate": 0, "arm": "rigl", "density": density}
        )
        network = read_network(saved.path).trained
        assert unit_facts(browser)["links into it"] == str(network.masks["fc1.weight"][0].sum())


@needs_browser
def test_an_ageing_network_loses_those_who_die(results, browser):
    result = results["ageing"]
    opened(browser, result.page)
    table = result.table.query("replicate == 0 and when == 'after'").set_index(["arm", "cycle"])["accuracy"]
    deaths = result.tables["deaths"].query("replicate == 0").set_index("unit")["cycle"]
    play(browser, "no training", "random")
    for cycle in range(4):
        move_to(browser, cycle)
        assert text(browser, "#accuracy") == percent(table["none" if cycle else "healthy", cycle])
    press(browser, "ArrowDown", "ArrowUp")
    for unit in range(12):
        facts = unit_facts(browser)
        died = deaths[unit]
        assert facts["dead from"] == (f"cycle {died}" if died else "–")
        assert (facts["state"] == "dead") == (died > 0)
        press(browser, "ArrowDown")


@needs_browser
def test_a_lesion_goes_along_its_order(results, browser):
    result = results["lesion"]
    opened(browser, result.page)
    curves, scores = (result.tables[name].query("replicate == 0") for name in ("curves", "scores"))
    own = curves.query("criterion == 'taylor' and direction == 'high' and control == 'targeted'").set_index("step")
    play(browser, "highest taylor")
    for step in (0, 1, 7, 20):
        move_to(browser, step)
        assert text(browser, "#accuracy") == percent(own.loc[step, "accuracy"])
        classes = [percent(own.loc[step, f"accuracy_{label}"]) for label in range(10)]
        assert texts(browser, "#classes li span:last-child") == classes
    press(browser, "ArrowDown", "ArrowUp")
    cells = texts(browser, "#unit table:last-child td")
    assert cells[::3] == ["in-strength", "taylor"]
    for name, shown, rank in zip(cells[::3], cells[1::3], cells[2::3], strict=True):
        assert float(shown) == pytest.approx(scores[name].iloc[0], rel=1e-3)
        assert int(rank) == 1 + (scores[name] > scores[name].iloc[0]).sum()


@needs_browser
def test_importance_takes_units_one_by_one(results, browser):
    result = results["importance"]
    opened(browser, result.page)
    units = result.table.query("replicate == 0")
    whole = result.tables["networks"]["accuracy"].iloc[0]
    ranked = units.sort_values("loss_rise", ascending=False, kind="stable")
    for step in (1, 2, 20):
        move_to(browser, step)
        row = ranked.iloc[step - 1]
        assert text(browser, "#step-name") == f"without {row['layer']}, unit {row['index']}"
        assert text(browser, "#accuracy") == percent(whole - row["accuracy_drop"])
    press(browser, "ArrowDown", "ArrowUp")
    first = units.iloc[0]
    assert float(unit_facts(browser)["loss rises without it by"].split()[0]) == pytest.approx(
        1000 * first["loss_rise"], rel=1e-2
    )
    drops = result.tables["classes"].query("replicate == 0 and unit == 0")["accuracy_drop"]
    shown = [float(cell) for cell in texts(browser, "#unit table td.number")[:10]]
    assert shown == pytest.approx([100 * drop for drop in drops], abs=0.011)
