"""A schedule is written into a file, changed and taken out, and nothing else of the file is."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_tenants import config
from aurora_tenants.config import edit, pause, yaml_file
from aurora_tenants.config.edit import with_schedule
from aurora_tenants.errors import InvalidFile, Problem
from aurora_tenants.model import PauseSchedule

EXAMPLE = Path(__file__).parents[2] / "examples" / "tenants.yaml"
OFFICE = pause.from_options("Europe/Berlin", ["MON-FRI 07:00-17:00"])
LONGER = pause.from_options("Europe/Berlin", ["MON-FRI 07:00-18:30"], pause_after="10m")
NIGHTS = pause.from_options("UTC", ["MON,WED 22:00-02:00 1-8", "SAT-SUN 09:00-24:00"], asleep_acu="0.5-1")
SCHEDULES = [OFFICE, LONGER, NIGHTS]
TENANTS = "tenants:\n  shop: {databases: {shop: }}  # one\n"


def schedule_of(text: str) -> PauseSchedule | None:
    return config.parse(text, "f").cluster.pause_schedule


def refused(text: str, schedule: PauseSchedule | None) -> Problem:
    with pytest.raises(InvalidFile) as caught:
        with_schedule(text, schedule, "f")
    [problem] = caught.value.problems
    return problem


def comments(text: str) -> Counter[str]:
    """No text below holds a # that begins anything else."""
    return Counter(re.findall(r"(?:^|(?<=\s))#[^\r\n]*", text))


def inserted(before: str, after: str) -> str:
    """What was put into one place of a text. Fails if anything of the text is missing or changed."""
    at = next((at for at, (one, two) in enumerate(zip(before, after, strict=False)) if one != two), len(before))
    behind = len(before) - at
    assert after.endswith(before[at:])
    return after[at : len(after) - behind]


# What is written, letter for letter


def test_the_example_gets_its_section_behind_the_last_key_and_its_comments():
    before = EXAMPLE.read_text()
    after = with_schedule(before, OFFICE, "f")
    assert after.split("\n")[3:13] == [
        "cluster:",
        "  stack: shared-global              # the shared stack; everything else is read from its outputs",
        "  # region: eu-west-1               # otherwise the AWS configuration's",
        "  # `aurora-tenants pause-schedule set` writes here when the cluster stays awake.",
        "  pause_schedule:",
        "    timezone: Europe/Berlin",
        '    awake: {days: MON-FRI, from: "07:00", to: "17:00", min_acu: 0.5, max_acu: 4}',
        "    asleep: {min_acu: 0, max_acu: 2, pause_after_seconds: 300}",
        "",
        "defaults:                           # what databases and users get that do not say otherwise",
    ]
    assert schedule_of(after) == OFFICE
    assert with_schedule(after, None, "f") == before


def test_a_file_without_braces_gets_none_and_keeps_its_indentation_and_quotes():
    before = "version: 1\ncluster:\n    stack: 'shared'\ntenants:\n    shop:\n        stages:\n        - dev\n"
    assert (
        inserted(before, with_schedule(before, NIGHTS, "f"))
        == """\
    pause_schedule:
        timezone: UTC
        awake:
        - days: MON,WED
          from: '22:00'
          to: '02:00'
          min_acu: 1
          max_acu: 8
        - days: SAT-SUN
          from: '09:00'
          to: '24:00'
          min_acu: 0.5
          max_acu: 4
        asleep:
            min_acu: 0.5
            max_acu: 1
            pause_after_seconds: 300
"""
    )


def test_several_windows_are_a_list_and_days_with_a_comma_are_quoted_in_braces():
    before = "version: 1\ncluster:\n  stack: s\n" + TENANTS
    assert (
        inserted(before, with_schedule(before, NIGHTS, "f"))
        == """\
  pause_schedule:
    timezone: UTC
    awake:
      - {days: "MON,WED", from: "22:00", to: "02:00", min_acu: 1, max_acu: 8}
      - {days: SAT-SUN, from: "09:00", to: "24:00", min_acu: 0.5, max_acu: 4}
    asleep: {min_acu: 0.5, max_acu: 1, pause_after_seconds: 300}
"""
    )


def test_a_cluster_in_braces_gets_the_section_in_braces():
    before = "version: 1\ncluster: { stack: s,  # ours\n}\n" + TENANTS
    assert inserted(before, with_schedule(before, OFFICE, "f")) == (
        "pause_schedule: { timezone: Europe/Berlin, "
        'awake: { days: MON-FRI, from: "07:00", to: "17:00", min_acu: 0.5, max_acu: 4 }, '
        "asleep: { min_acu: 0, max_acu: 2, pause_after_seconds: 300 } }, "
    )


def test_a_json_file_stays_json():
    before = '{"version": 1, "cluster": {"stack": "s"}, "tenants": {}}'
    after = with_schedule(before, NIGHTS, "f")
    assert json.loads(after)["cluster"]["pause_schedule"] == pause.as_data(NIGHTS)
    wanted = pause.as_data(OFFICE)
    wanted["awake"] = [wanted["awake"]]
    assert json.loads(with_schedule(after, OFFICE, "f"))["cluster"]["pause_schedule"] == wanted
    assert with_schedule(after, None, "f") == before


COMMENTED = """\
# first
version: 1
cluster:  # zero
  # above
  pause_schedule:  # one
    # two
    timezone: 'Europe/Berlin'  # three
    awake:  # four
      # five
      - days: MON-FRI  # six
        from: "07:00"
        to: 17:00      # seven
        min_acu: 0.50
        max_acu: 4
      # eight
    asleep: {max_acu: 2.0, min_acu: 0}  # nine
    # ten

  # eleven
  stack: s  # twelve
tenants: {}
"""


def test_only_the_values_that_differ_are_replaced_and_every_comment_stays():
    changed = pause.from_options("Europe/Paris", ["MON-FRI 07:00-18:30"], awake_acu="0.5-8")
    expected = COMMENTED.replace("Berlin", "Paris").replace("17:00 ", '"18:30" ').replace("max_acu: 4", "max_acu: 8")
    assert with_schedule(COMMENTED, changed, "f") == expected
    assert with_schedule(COMMENTED, OFFICE, "f") == COMMENTED


def test_comments_of_a_value_that_is_written_anew_go_above_its_key():
    after = with_schedule(COMMENTED, NIGHTS, "f")
    assert comments(after) == comments(COMMENTED)
    assert after.split("\n")[4:18] == [
        "  pause_schedule:  # one",
        "    # two",
        "    timezone: 'UTC'  # three",
        "    # four",
        "    # five",
        "    # six",
        "    # seven",
        "    awake:",
        '      - {days: "MON,WED", from: "22:00", to: "02:00", min_acu: 1, max_acu: 8}',
        '      - {days: SAT-SUN, from: "09:00", to: "24:00", min_acu: 0.5, max_acu: 4}',
        "      # eight",
        "    asleep: {max_acu: 1, min_acu: 0.5}  # nine",
        "    # ten",
        "",
    ]


def test_the_section_goes_with_its_comments_and_nothing_else_goes():
    assert (
        with_schedule(COMMENTED, None, "f")
        == """\
# first
version: 1
cluster:  # zero
  # above

  # eleven
  stack: s  # twelve
tenants: {}
"""
    )


def test_comments_further_left_than_the_section_are_behind_it():
    before = "cluster:\n  stack: s\n  # ours\n# the next\ntenants: {}\n"
    after = with_schedule(before, OFFICE, "f")
    assert after.startswith("cluster:\n  stack: s\n  # ours\n  pause_schedule:\n")
    assert after.endswith("300}\n# the next\ntenants: {}\n")


def test_a_comment_behind_the_section_is_of_the_next_key_unless_it_is_further_right():
    written = with_schedule("cluster:\n  stack: s\n", OFFICE, "f")
    before = written + "    # of the section\n  # of the region\n  region: eu-west-1\n"
    assert with_schedule(before, None, "f") == "cluster:\n  stack: s\n  # of the region\n  region: eu-west-1\n"


@pytest.mark.parametrize(
    "cluster",
    [
        "cluster: !!map\n  stack: s\n",
        "cluster:\n  stack: >-\n    a\n    b\n\n# c\n",
        "cluster:\n  stack:\n    s\n...\n",
        "cluster:\n  stack: s\n  pause_schedule:\n",
        "cluster:\n  stack: s\n  pause_schedule: ~ # x\n",
        "cluster:\n  pause_schedule: 5\n  stack: s",
        "cluster: {stack: s, pause_schedule: {timezone: UTC}}",
        "? cluster\n: stack: s\n",
        "cluster:\r  stack: s\r",
        "p: &p {timezone: UTC}\ncluster:\n  pause_schedule: *p\n  stack: s\n",
    ],
)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rare_forms_are_edited_too(cluster: str, schedule: PauseSchedule):
    after = yaml_file.parse(with_schedule(cluster, schedule, "f"), "f").data
    assert pause.declared(after["cluster"]["pause_schedule"]) == schedule


# What cannot be edited


def test_no_text_ends_in_anything_but_a_text_or_a_problem():
    """A valid file with a few of its characters lost, changed or added: mostly YAML still, of a rare kind."""
    choose = Random(20261123)
    for _ in range(300):
        text = list(COMMENTED)
        for _ in range(choose.randint(1, 4)):
            at = choose.randrange(len(text))
            text[at : at + choose.randint(0, 1)] = choose.choice([*" \n\t#:{}[],&*!|>'\"-?%@a1\r<~", ""])
        for wanted in (NIGHTS, None):
            try:
                after = with_schedule("".join(text), wanted, "f")
            except InvalidFile as invalid:
                assert all(problem.what and problem.fix and problem.where for problem in invalid.problems)
            else:
                assert pause.declared(yaml_file.parse(after, "f").data["cluster"].get("pause_schedule")) == wanted


@pytest.mark.parametrize(
    ("cluster", "why"),
    [
        ("*c", "cluster is an alias or merged in, and what it repeats may be used elsewhere too"),
        (
            "{stack: s, <<: [*c], pause_schedule: &p {timezone: X}}",
            "the result would not mean what it should, because of an anchor, an alias or an unusual form",
        ),
    ],
)
def test_an_alias_is_not_edited(cluster: str, why: str):
    text = f"version: 1\nx: &c {{stack: s}}\ncluster: {cluster}\ny: *c\ntenants: {{}}\n"
    if "&p" in cluster:
        text += "z: *p\n"
    problem = refused(text, OFFICE)
    assert (problem.code, str(problem.where)) == ("cannot-edit", "f:3:1")
    assert problem.what == "cluster cannot be edited automatically without damage to the file"
    assert why == problem.why or problem.why.startswith("the result would not be YAML")
    assert problem.fix == (
        "write it by hand: pause_schedule: {timezone: Europe/Berlin, "
        'awake: {days: MON-FRI, from: "07:00", to: "17:00", min_acu: 0.5, max_acu: 4}, '
        "asleep: {min_acu: 0, max_acu: 2, pause_after_seconds: 300}}"
    )


def test_an_anchor_that_is_used_elsewhere_is_not_edited():
    section = "\n    timezone: UTC\n    awake: &a {days: MON, from: '1:00', to: '2:00', min_acu: 1, max_acu: 2}\n"
    text = f"cluster:\n  stack: s\n  pause_schedule:{section}    asleep: {{min_acu: 0, max_acu: 2}}\nother: *a\n"
    assert refused(text, OFFICE).code == "cannot-edit"


def test_a_section_merged_in_from_elsewhere_is_overridden_but_not_taken_out():
    text = "base: &b {pause_schedule: {timezone: UTC}}\ncluster:\n  <<: *b\n  stack: s\n"
    assert "pause_schedule:\n    timezone: Europe/Berlin" in with_schedule(text, OFFICE, "f")
    problem = refused(text, None)
    assert problem.why == "the schedule is merged in from elsewhere with <<"
    assert problem.fix == "remove pause_schedule by hand"


def test_a_comment_between_the_keys_of_a_cluster_in_braces_is_not_lost():
    text = with_schedule("cluster: {stack: s, region: eu-west-1}\n", OFFICE, "f")
    text = text.replace(", pause_schedule", ",  # ours\n  pause_schedule")
    assert refused(text, None).why == "there is a comment between its keys: # ours"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty-file"),
        ("cluster: [", "invalid-yaml"),
        ("tenants: {}", "missing-key"),
        ("cluster:\ntenants: {}", "missing-key"),
        ("cluster: {}\ntenants: {}", "missing-key"),
        ("- a", "missing-key"),
        ("cluster: {stack: s, stack: t}", "duplicate-key"),
        ("cluster: {stack: s}\n---\ncluster: {stack: s}", "several-documents"),
    ],
)
def test_a_file_that_is_none_is_told_so(text: str, code: str):
    assert refused(text, OFFICE).code == code


# Any style


@st.composite
def files(draw: st.DrawFn) -> str:
    """A tenants.yaml without a schedule: its order, comments, quotes, indentation, braces and line ends vary."""
    pad = " " * draw(st.sampled_from([1, 2, 3, 4, 8]))
    note = st.sampled_from(["", "  # note", " #", "\t# ünïcode 😀"])
    name = draw(st.sampled_from(["s", "'s'", '"s"', "&anchor s", "!!str s", '"s" ']))
    region = draw(st.sampled_from([None, "eu-west-1", "'eu-west-1'", '"eu-west-1"']))
    keys = [("stack", name), *([("region", region)] if region else [])]
    if draw(st.booleans()):
        keys.reverse()
    label = draw(st.sampled_from(["cluster", '"cluster"', "'cluster'"]))
    gap = st.sampled_from(["", "", "\n", f"{pad}# between\n", "# at the margin\n", f"{pad}   # deeper\n"])
    match draw(st.sampled_from(["block", "flow", "spread"])):
        case "block":
            cluster = f"{label}:{draw(note)}\n"
            for key, value in keys:
                cluster += f"{draw(gap)}{pad}{key}: {value}{draw(note)}\n"
            cluster += draw(gap)
        case "flow":
            blank, comma = draw(st.sampled_from(["", " "])), draw(st.sampled_from(["", ",", " ,"]))
            inner = ", ".join(f"{key}: {value}" for key, value in keys)
            cluster = f"{label}: {{{blank}{inner}{comma}{blank}}}{draw(note)}\n"
        case _:
            inner = ",\n".join(f"{pad}{key}: {value}" for key, value in keys)
            cluster = f"{label}: {{{draw(note)}\n{inner}{draw(st.sampled_from(['', ',']))}{draw(note)}\n{pad}}}\n"
    dash = draw(st.sampled_from(["", pad]))
    tenants = draw(
        st.sampled_from(
            [
                "tenants: {}\n",
                TENANTS,
                f"tenants:\n{pad}shop:\n{pad}{pad}stages:\n{pad}{pad}{dash}- dev  # cluster:\n",
                f"tenants:\n{pad}shop:\n{pad}{pad}databases: {{ 'a-b': {{}} }}\n",
            ]
        )
    )
    parts = [draw(st.sampled_from(["version: 1\n", "# cluster: no\nversion: 1\n\n"])), cluster, tenants]
    parts = draw(st.permutations(parts))
    text = draw(st.sampled_from(["", "---\n", "# pause_schedule: no\n", "%YAML 1.2\n---\n"])) + "".join(parts)
    if draw(st.booleans()):
        text = text.rstrip("\n")
    text = text.replace("\n", draw(st.sampled_from(["\n", "\n", "\r\n"])))
    return draw(st.sampled_from(["", "", "\ufeff"])) + text


@settings(max_examples=150, deadline=None)
@given(files(), st.sampled_from(SCHEDULES), st.sampled_from(SCHEDULES))
def test_whatever_its_style_a_file_keeps_everything_else(before: str, first: PauseSchedule, second: PauseSchedule):
    plain = config.parse(before, "f")
    written = with_schedule(before, first, "f")
    added = inserted(before, written)
    assert added.count("#") == 0
    assert re.findall(r"\r?\n", added) == [re.findall(r"\r?\n", before)[0]] * added.count("\n")
    assert schedule_of(written) == first
    assert config.parse(written, "f").tenants == plain.tenants
    assert with_schedule(written, first, "f") == written
    assert with_schedule(written, None, "f") == before
    changed = with_schedule(written, second, "f")
    assert (schedule_of(changed), comments(changed)) == (second, comments(before))
    assert with_schedule(changed, None, "f") == before
    assert with_schedule(before, None, "f") == before


@settings(max_examples=100, deadline=None)
@given(
    st.permutations(
        [
            "    timezone: Europe/Berlin{}\n",
            "    awake:{}\n      - days: MON-FRI{}\n        from: '07:00'\n{}        to: '17:00'{}\n"
            "        min_acu: 0.5\n        max_acu: 4{}\n",
            "    asleep:{}\n      min_acu: 0{}\n      max_acu: 2\n",
        ]
    ),
    st.lists(st.sampled_from(["", "  # a", "  # b"]), min_size=8, max_size=8),
    st.booleans(),
    st.sampled_from(SCHEDULES),
)
def test_whatever_its_comments_a_section_keeps_them(
    parts: list[str], notes: list[str], is_last: bool, wanted: PauseSchedule
):
    section = "".join(parts)
    left = list(notes)
    while "{}" in section:
        note = left.pop()
        at = section.index("{}")
        note = f"{note}\n" if note and section[at - 1] == "\n" else note
        section = section.replace("{}", note, 1)
    stack = "  stack: s  # stack\n"
    body = stack + "  pause_schedule:\n" + section if is_last else "  pause_schedule:\n" + section + stack
    before = f"version: 1\ncluster:\n{body}# behind\n{TENANTS}"
    assert schedule_of(before) == OFFICE
    after = with_schedule(before, wanted, "f")
    assert (schedule_of(after), comments(after)) == (wanted, comments(before))
    assert with_schedule(before, None, "f") == f"version: 1\ncluster:\n{stack}# behind\n{TENANTS}"


# The file


def test_a_file_is_replaced_with_its_mode_and_through_a_link(tmp_path: Path):
    file, link = tmp_path / "real.yaml", tmp_path / "tenants.yaml"
    file.write_bytes(b"\xef\xbb\xbfone\r\n")
    file.chmod(0o640)
    link.symlink_to(file)
    edit.replace(link, "\ufeffone\r\n", "\ufefftwo ü\r\n")
    assert file.read_bytes() == b"\xef\xbb\xbftwo \xc3\xbc\r\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["real.yaml", "tenants.yaml"]


def test_a_file_that_has_changed_meanwhile_is_left_alone(tmp_path: Path):
    file = tmp_path / "tenants.yaml"
    file.write_text("theirs")
    with pytest.raises(InvalidFile) as caught:
        edit.replace(file, "mine", "new")
    assert caught.value.problems[0].code == "file-changed"
    assert file.read_text() == "theirs"


def test_a_file_that_cannot_be_written_stays_as_it_is_and_nothing_is_left_behind(tmp_path: Path):
    """The directory is full of a name so long that no neighbour of it can be made: so it is for root, too."""
    file = tmp_path / ("x" * 250)
    file.write_text("old")
    with pytest.raises(InvalidFile) as caught:
        edit.replace(file, "old", "new")
    [problem] = caught.value.problems
    assert (problem.code, problem.why) == ("file-not-writable", "File name too long")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.fixture
def for_nobody() -> Iterator[Path]:
    """A directory in which everybody may write; root, whom no mode hinders, becomes nobody meanwhile."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o777)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield directory
    os.seteuid(user)
    shutil.rmtree(directory)


def test_a_file_that_is_read_only_is_not_replaced_though_its_directory_would_allow_it(for_nobody: Path):
    file = for_nobody / "tenants.yaml"
    file.write_text("old")
    file.chmod(0o444)
    with pytest.raises(InvalidFile) as caught:
        edit.replace(file, "old", "new")
    [problem] = caught.value.problems
    assert (problem.code, problem.why) == ("file-not-writable", "Permission denied")
    assert [path.name for path in for_nobody.iterdir()] == ["tenants.yaml"]
    assert file.read_text() == "old"
