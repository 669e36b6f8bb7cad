"""Roles of docstrings (``:func:`name```) as code, which the site's Markdown does not know."""

import re


def on_page_content(html: str, **_: object) -> str:
    return re.sub(r":(?:func|class|meth|mod|data):(<code>)~?", r"\1", html)
