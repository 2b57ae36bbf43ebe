# SPDX-License-Identifier: MIT
"""Whatever the text: a profile loads, or raises ProfileError, soon."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypac_obs.profile import Profile, ProfileError, load_profile, parse_profile
from pypac_obs.profile.loader import MAX_BYTES

CONFIGS = Path(__file__).parents[3] / "configs"
VALID = [path.read_text(encoding="utf-8") for path in sorted(CONFIGS.glob("*.yaml"))]
MARKS = [
    *"{}[]:,-&*!|>'\"#?%@`~\\\n\t $=",
    ": ", "- ", "  ", "<<: ", "*a", "&a ", "---\n", "...", "!!", "null", "no", "0x1", ".nan", "1e9",
    "{track}", "{", "$X", "\0", "\x1b", "\u2028", "\ud800", "\ufeff", "é",
    "process", "from", "everything_except",
]  # fmt: skip


def outcome(read, *arguments) -> str:
    """Reads a profile, and looks at what came of it: a loaded profile or a refusal with reasons."""
    refusal = None
    started = time.thread_time()  # of this thread alone: others want the processor, too
    try:
        profile = read(*arguments)
    except ProfileError as error:
        refusal = error
    assert time.thread_time() - started < 1
    if refusal is None:
        assert Profile.from_dict(profile.model_dump(), name=profile.name) == profile
        return "loaded"
    assert refusal.mistakes
    assert len(str(refusal).split("\n")) == len(refusal.mistakes)
    assert str(refusal).encode("utf-8")
    for mistake in refusal.mistakes:
        assert mistake.expected not in ("", "another value"), "an error has no words of its own"
        assert mistake.found
    return "refused"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=300))
def test_any_text_is_refused_or_loads(text: str):
    assert outcome(parse_profile, text) in ("refused", "loaded")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(MARKS), max_size=60).map("".join))
def test_any_heap_of_yaml_marks_is_refused_or_loads(text: str):
    assert outcome(parse_profile, text) in ("refused", "loaded")


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_any_mutation_of_a_valid_profile_is_refused_or_loads(data: st.DataObject):
    text = data.draw(st.sampled_from(VALID))
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.sampled_from([0, 0, 1, 3, 20])))
        text = text[:start] + data.draw(st.sampled_from(MARKS) | st.text(max_size=3)) + text[end:]
    assert outcome(parse_profile, text) in ("refused", "loaded")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.binary(max_size=2) | st.sampled_from(["game", "default", "tone", "all", "{track}"]),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner)
    | st.dictionaries(st.text(max_size=3) | st.integers() | st.sampled_from(
        ["process", "everything_except", "device", "system", "synthetic", "kind", "dropouts",
         "from", "source", "gain_db", "filters", "gain", "files", "name", "tracks", "encoding",
         "obs", "to", "recording", "names", "scene", "transport", "password", "env", "follow"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_any_python_object_in_place_of_a_value_is_refused_or_loads(data: st.DataObject):
    profile = parse_profile(data.draw(st.sampled_from(VALID))).model_dump()
    place = profile
    while True:
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JUNK)
    assert outcome(Profile.from_dict, profile) in ("refused", "loaded")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_load(tmp_path_factory: pytest.TempPathFactory, data: bytes):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(data)
    assert outcome(load_profile, path) in ("refused", "loaded")


@pytest.mark.parametrize(
    "text",
    [
        "# " + "x" * (MAX_BYTES - 2),
        "\n" * MAX_BYTES,
        "[" + "a," * 200_000,
        "[" * MAX_BYTES,
        "a: " + "9" * (MAX_BYTES - 3),
        "a: 1." + "9" * (MAX_BYTES - 5),
        "version: 1\n" + "".join(f"version{i}: 1\n" for i in range(24_000)),
        "a: &a {x: *a}\n",
        "- &a0 x\n" + "".join(f"- &a{i} [*a{i - 1}]\n" for i in range(1, 2000)),
    ],
    ids=["comment", "lines", "items", "depth", "digits", "float", "keys", "loop", "alias-chain"],
)
def test_the_worst_texts_are_refused_in_bounded_time(text: str):
    started = time.thread_time()  # of this thread alone: others want the processor, too
    with pytest.raises(ProfileError):
        parse_profile(text)
    assert time.thread_time() - started < 20  # a few seconds on a slow machine; never without end


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("[" + "a," * 60_000, "1:100000: expected at most 50000 keys and values"),
        ("a: &a x\nb: [" + "*a," * 1001 + "]", "2:3005: expected at most 1000 aliases"),
        ("[" * 33, "1:33: expected at most 32 levels"),
        (
            "a: &a [[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]\nb: [[[[[[[[[[[[[*a]]]]]]]]]]]]]\n",
            "expected at most 32 levels",
        ),
    ],
    ids=["values", "aliases", "depth", "depth-by-alias"],
)
def test_each_bound_is_named_where_it_is_passed(text: str, mistake: str):
    with pytest.raises(ProfileError) as caught:
        parse_profile(text)
    assert len(caught.value.mistakes) == 1
    assert mistake in str(caught.value)


def test_a_text_above_the_limit_is_refused_before_it_is_parsed(tmp_path: Path):
    path = tmp_path / "long.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ProfileError, match="expected a file of at most 1 MiB, found a longer one"):
        load_profile(path)
