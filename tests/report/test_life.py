"""The life of a network as the page carries it: what is unpacked again is what was packed."""

import base64
import json
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays, floating_dtypes

from karikomi.report import life as of_life
from karikomi.report.life import Curve, Frame, Life, Strand, packed, payload

SIZES = {"inputs": 6, "fc1": 4, "output": 3}


def unpacked(part) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(part["z"])), part["type"])


def frame(at: int, rng: np.random.Generator, density: float = 0.5, **costs) -> Frame:
    masks = [rng.random((4, 6)) < density, rng.random((3, 4)) < density]
    weights = [mask * rng.normal(size=mask.shape) for mask in masks]
    return Frame(at, weights, masks, np.logical_and(masks[0].any(axis=1), masks[1].any(axis=0)), **costs)


def of(*strands: Strand, steps: int = 4) -> Life:
    curves = [Curve("ticket", "ticket", "#0072B2", [0.5, np.nan, 0.25])]
    names = [f"round {step}" for step in range(steps)]
    return Life("replicate 0", names, SIZES, [(0, 1), (1, 2)], [1], strands, curves, (2, 3))


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_masks_are_exact_and_weights_within_half_a_step(seed, density):
    given = frame(0, np.random.default_rng(seed), density)
    [made] = payload(of(Strand("ticket", [given], [0.5])))["frames"]
    assert unpacked(made["alive"]).astype(bool).tolist() == given.alive.tolist()
    for block, weight, mask in zip(made["blocks"], given.weights, given.masks, strict=True):
        bits = np.unpackbits(unpacked(block["mask"]).view(np.uint8), count=mask.size, bitorder="little")
        assert (bits.reshape(mask.shape) == mask).all()
        error = unpacked(block["weights"]).reshape(mask.shape) * block["scale"] - weight
        assert np.abs(error).max() <= 0.5001 * block["scale"] + 1e-9
        strongest = unpacked(block["strongest"])
        assert sorted(strongest) == np.flatnonzero(mask).tolist()
        assert (np.diff(np.abs(np.take(weight, strongest))) <= 0).all()


@given(arrays(floating_dtypes(sizes=64), 5, elements=st.floats(-1, 1)))
def test_numbers_come_back_as_their_type(numbers):
    assert unpacked(packed(numbers, "float32")).tolist() == numbers.astype(np.float32).tolist()
    assert unpacked(packed(np.round(100 * numbers), "int16")).tolist() == np.round(100 * numbers).tolist()


def test_costs_and_accuracies():
    rng = np.random.default_rng(0)
    drop = rng.uniform(-1, 1, (4, 3))
    drop[2, 1] = np.nan
    given = frame(0, rng, loss_rise=np.arange(4.0), class_drop=drop)
    made = payload(of(Strand("ticket", [given], [0.5, np.nan], removed=np.array([0, 2, 1, 0]))))
    assert unpacked(made["frames"][0]["loss"]).tolist() == [0, 1, 2, 3]
    assert unpacked(made["frames"][0]["drop"]) / 1e4 == pytest.approx(np.nan_to_num(drop).ravel(), abs=5e-5)
    [strand] = made["strands"]
    assert strand["accuracy"] == [0.5, None]
    assert unpacked(strand["removed"]).tolist() == [0, 2, 1, 0]
    assert made["curves"][0]["accuracy"] == [0.5, None, 0.25]
    assert json.loads(json.dumps(made, allow_nan=False)) == json.loads(json.dumps(made))


def test_a_frame_of_two_strands_is_there_once():
    shared = frame(0, np.random.default_rng(0))
    made = payload(of(Strand("a", [shared], [0.5]), Strand("b", [shared], [0.5])))
    assert len(made["frames"]) == 1
    assert [strand["frames"] for strand in made["strands"]] == 2 * [[{"at": 0, "frame": 0}]]


def test_of_long_lives_fewer_networks_are_shown_the_ends_in_any_case(monkeypatch):
    rng = np.random.default_rng(0)
    frames = [frame(at, rng) for at in range(20)]
    whole = payload(of(Strand("ticket", frames, [0.5]), steps=20))
    assert [each["at"] for each in whole["strands"][0]["frames"]] == list(range(20))
    one = sum(len(part["z"]) for part in of_life._parts(whole["frames"][0]))
    for room in (0, 8):
        monkeypatch.setattr(of_life, "BYTES", room * one)
        made = payload(of(Strand("ticket", frames, [0.5]), steps=20))
        at = [each["at"] for each in made["strands"][0]["frames"]]
        assert (at[0], at[-1]) == (0, 19)
        assert len(made["frames"]) == len(at) <= max(2, room)
        assert [each["frame"] for each in made["strands"][0]["frames"]] == list(range(len(at)))
