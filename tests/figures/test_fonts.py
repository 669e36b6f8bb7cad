"""Fonts of figures: those that are here, and whose letters they have."""

import shutil
import subprocess

import pytest

from karikomi.errors import InputError
from karikomi.figures import fonts
from karikomi.figures.fonts import families, has_font


def test_a_family_that_is_here_comes_first():
    assert families("en", "Liberation Sans").startswith("Liberation Sans, ")  # it comes with vl-convert


@pytest.mark.parametrize("font", ["Nosuch Grotesk", "x'; y", "", "a, b"])
def test_one_that_is_not_is_refused(font):
    with pytest.raises(InputError, match="there is no font"):
        families("en", font)


@pytest.mark.skipif(not shutil.which("fc-list"), reason="no fontconfig here to ask for fonts")
def test_japanese_is_written_where_fontconfig_knows_a_japanese_font():
    assert has_font("en")
    listed = subprocess.run(["fc-list", ":lang=ja"], capture_output=True, text=True, check=True)
    assert has_font("ja") == bool(listed.stdout)


def test_without_a_font_it_says_which_to_install(monkeypatch):
    drawn = fonts._drawn
    monkeypatch.setattr(fonts, "_drawn", lambda text, font: drawn(text if text.isascii() else "□", font))
    assert families("en")
    with pytest.raises(InputError, match="fonts-ipaexfont-gothic") as caught:
        families("ja", "Liberation Sans")
    assert "\n" not in str(caught.value)
