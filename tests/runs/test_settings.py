import math
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karikomi.errors import InputError
from karikomi.runs.settings import differences, identity, plain, read_settings, write_settings

text = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=6,
)
tables = st.dictionaries(text, values, max_size=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("settings")


@given(tables, tables)
def test_identity_follows_the_settings_alone(one, other):
    # repr tells 1 from 1.0 and from True, and 0.0 from -0.0, where == does not.
    same = repr(sorted_deeply(one)) == repr(sorted_deeply(other))
    assert (identity("lottery", one, 1) == identity("lottery", other, 1)) == same


def sorted_deeply(value):
    if isinstance(value, dict):
        return [(key, sorted_deeply(value[key])) for key in sorted(value)]
    return [sorted_deeply(item) for item in value] if isinstance(value, list) else value


@given(tables.filter(bool), st.data())
def test_identity_depends_on_every_setting_and_not_on_their_order(settings, data):
    reference = identity("lottery", settings, 1)
    names = data.draw(st.permutations(list(settings)))
    assert identity("lottery", {name: settings[name] for name in names}, 1) == reference
    for name in names:
        assert identity("lottery", {**settings, name: [settings[name]]}, 1) != reference
        assert identity("lottery", {key: settings[key] for key in names if key != name}, 1) != reference


def test_identity_depends_on_study_and_schema():
    identities = {identity(study, {"seed": 0}, schema) for study in ("lottery", "lesion") for schema in (1, 2)}
    assert len(identities) == 4
    assert all(len(hexadecimal) == 64 and int(hexadecimal, 16) for hexadecimal in identities)


@given(tables)
def test_settings_come_back_from_the_file(folder, settings):
    path = folder / "settings.toml"
    write_settings(path, "lottery", settings, 3)
    study, found, schema = read_settings(path)
    assert (study, schema) == ("lottery", 3)
    assert repr(sorted_deeply(found)) == repr(sorted_deeply(settings))
    assert tomllib.loads(path.read_bytes().decode())["settings"] == found


def test_plain_is_what_toml_can_hold(tmp_path):
    settings = {"rates": (0.2, (1, 2)), "output": None, "inner": {"y": math.inf}}
    assert plain(settings) == {"rates": [0.2, [1, 2]], "inner": {"y": math.inf}}
    write_settings(tmp_path / "settings.toml", "lottery", settings, 1)
    assert read_settings(tmp_path / "settings.toml")[1] == plain(settings)
    with pytest.raises(TypeError, match="object is not JSON"):
        plain({"a": object()})


def test_an_edited_file_is_refused(tmp_path):
    path = tmp_path / "settings.toml"
    write_settings(path, "lottery", {"seed": 0, "rounds": 10}, 1)
    original = path.read_text()
    for edit in [("seed = 0", "seed = 1"), ("seed = 0\n", ""), ("lottery", "lesion"), ("schema = 1", "schema = 2")]:
        path.write_text(original.replace(*edit))
        with pytest.raises(InputError, match=r"settings\.toml was edited"):
            read_settings(path)


@pytest.mark.parametrize(
    "content", [b"", b"seed = ", b"\xff", b"run = 3", b"[run]\n[settings]", b"[run]\nstudy='a'\nschema=1\nidentity=''"]
)
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"settings\.toml is damaged"):
        read_settings(path)


def test_differences_name_both_values():
    theirs, ours = {"seed": 0, "rounds": 10, "p": 0.2, "same": [1]}, {"seed": 1, "p": 0.2, "arm": "x", "same": [1]}
    assert sorted(differences(theirs, ours)) == ["arm: not set → 'x'", "rounds: 10 → not set", "seed: 0 → 1"]
    assert differences({"rate": 1}, {"rate": True}) == ["rate: 1 → True"]
