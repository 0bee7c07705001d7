"""The pause schedule as people write it: what it means, and every rule that says what is wrong with one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_tenants import config
from aurora_tenants.config import pause
from aurora_tenants.config.schedule_text import time_name, window_name
from aurora_tenants.errors import InvalidFile, InvalidUsage, Location, Problem
from aurora_tenants.model import Capacity, Cluster, PauseSchedule, Window
from aurora_tenants.schedule import zones

MARK = "»"
HEAD = "version: 1\ntenants: {}\ncluster:\n  stack: shared\n  pause_schedule:\n"
ZONE = "    timezone: Europe/Berlin\n"
AWAKE = '    awake: {days: MON-FRI, from: "07:00", to: "17:00", min_acu: 0.5, max_acu: 4}\n'
ASLEEP = "    asleep: {min_acu: 0, max_acu: 2, pause_after_seconds: 300}\n"
WEEKDAYS = (0, 1, 2, 3, 4)
OFFICE = PauseSchedule("Europe/Berlin", (Window(WEEKDAYS, 420, 1020, Capacity(0.5, 4)),), Capacity(0, 2))


def read(section: str) -> PauseSchedule | None:
    return config.parse(HEAD + section, "f").cluster.pause_schedule


def problems(section: str) -> list[Problem]:
    with pytest.raises(InvalidFile) as caught:
        config.parse(HEAD + section, "f")
    return list(caught.value.problems)


def told(section: str) -> list[str]:
    """Every problem of the section as `code: what`. Each has to be at a place marked » in it, in this order."""
    marks = [
        (line, at + 1 - text[:at].count(MARK))
        for line, text in enumerate((HEAD + section).split("\n"), 1)
        for at, c in enumerate(text)
        if c == MARK
    ]
    found = problems(section.replace(MARK, ""))
    assert [(problem.where.line, problem.where.column) for problem in found if problem.where] == marks
    return [f"{problem.code}: {problem.what}" for problem in found]


def window(days: str = "MON", start: str = "07:00", end: str = "17:00", least: Any = 0.5, most: Any = 4) -> str:
    return f'{{days: {days}, from: "{start}", to: "{end}", min_acu: {least}, max_acu: {most}}}'


def awake(*windows: str) -> str:
    return "    awake:\n" + "".join(f"      - {each}\n" for each in windows)


def asked(*awake: str, timezone: str = "Europe/Berlin", **options: str) -> PauseSchedule:
    return pause.from_options(timezone, awake, **options)


def refused(*awake: str, **options: str) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidUsage) as caught:
        asked(*awake, **options)
    return [(problem.context, problem.code, problem.what) for problem in caught.value.problems]


# What it means


def test_one_window_is_a_mapping():
    assert read(ZONE + AWAKE + ASLEEP) == OFFICE


def test_a_file_without_the_section_has_no_schedule():
    assert config.parse("version: 1\ntenants: {}\ncluster: {stack: s}", "f").cluster == Cluster("s")


def test_several_windows_are_a_list_and_send_the_seconds_of_asleep():
    section = ZONE + awake(window("FRI-MON", "9:30", "24:00"), window("tue, thu", "22:00", "02:00", 1, 2.5))
    assert read(
        section.replace("tue, thu", '"tue, thu"') + "    asleep: {min_acu: 0, max_acu: 1, pause_after_seconds: 86400}\n"
    ) == PauseSchedule(
        "Europe/Berlin",
        (
            Window((0, 4, 5, 6), 570, 1440, Capacity(0.5, 4, 86400)),
            Window((1, 3), 1320, 120, Capacity(1, 2.5, 86400)),
        ),
        Capacity(0, 1, 86400),
    )


def test_the_seconds_are_300_unless_told_otherwise():
    assert read(ZONE + AWAKE + "    asleep: {min_acu: 0, max_acu: 2}\n") == OFFICE


def test_times_need_no_quotes_and_sections_may_be_merged():
    section = ZONE + "    awake: {days: MON-FRI, from: 07:00, to: 17:00, min_acu: 0.5, max_acu: 4.0}\n" + ASLEEP
    assert read(section) == OFFICE
    merged = ZONE + "    <<: {" + (AWAKE + ASLEEP).strip().replace("\n    ", ", ") + "}\n"
    assert read(merged) == OFFICE


def test_the_options_ask_for_the_same():
    assert asked("MON-FRI 07:00-17:00") == OFFICE
    assert asked(" mon - fri  7:00 - 17:00 ") == OFFICE
    assert asked("MON-FRI 07:00-17:00", awake_acu="0.5-4", asleep_acu="0-2", pause_after="300s") == OFFICE
    assert asked("SAT 22:00-02:00 0.5-2", "SUN 12:00-24:00", awake_acu="8-16", pause_after="24h") == PauseSchedule(
        "Europe/Berlin",
        (Window((5,), 1320, 120, Capacity(0.5, 2, 86400)), Window((6,), 720, 1440, Capacity(8, 16, 86400))),
        Capacity(0, 2, 86400),
    )


@pytest.mark.parametrize(("text", "seconds"), [("5m", 300), ("300", 300), ("301 s", 301), ("1h", 3600), ("24h", 86400)])
def test_a_duration_has_a_unit_or_is_seconds(text: str, seconds: int):
    assert asked("MON 07:00-17:00", pause_after=text).asleep.pause_after_seconds == seconds


@given(
    st.sets(st.integers(0, 6), min_size=1).map(sorted).map(tuple),
    st.integers(0, 1439),
    st.integers(0, 1440),
    st.integers(0, 512),
    st.integers(2, 512),
    st.integers(300, 86400),
)
def test_every_schedule_can_be_written_and_read_again(
    days: tuple[int, ...], start: int, end: int, least: int, most: int, seconds: int
):
    capacity = Capacity(min(least, most) / 2, most / 2, seconds)
    asleep = Capacity(0, 256 if most != 512 else 1, seconds)
    planned = PauseSchedule("UTC", (Window(days, start, end if end != start else (end + 1) % 1440, capacity),), asleep)
    if capacity == asleep:
        return
    assert pause.declared(pause.as_data(planned)) == planned
    [window] = planned.awake
    text = f"{window_name(window)} {capacity.min_acu}-{capacity.max_acu}"
    assert asked(text, timezone="UTC", asleep_acu=f"0-{asleep.max_acu}", pause_after=f"{seconds}s") == planned


def test_a_schedule_is_written_as_the_file_has_it():
    assert pause.as_data(asked("SAT-SUN 09:00-24:00")) == {
        "timezone": "Europe/Berlin",
        "awake": {"days": "SAT-SUN", "from": "09:00", "to": "24:00", "min_acu": 0.5, "max_acu": 4},
        "asleep": {"min_acu": 0, "max_acu": 2, "pause_after_seconds": 300},
    }
    assert isinstance(pause.as_data(asked("MON 09:00-12:00", "TUE 09:00-12:00"))["awake"], list)


# What is wrong in a file


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        # shape: the schema's
        ("    timezone: »5\n" + AWAKE + ASLEEP, "wrong-type: timezone is the number 5"),
        ("    timezone: »''\n" + AWAKE + ASLEEP, "empty-value: timezone is empty"),
        (ZONE + "    awake: »5\n" + ASLEEP, "wrong-type: awake is the number 5"),
        (ZONE + "    awake: »[]\n" + ASLEEP, "empty-value: awake is empty"),
        (ZONE + "    awake: [»MON]\n" + ASLEEP, "wrong-type: entry 1 of awake is text"),
        (ZONE + "    »awake:\n" + ASLEEP, "wrong-type: awake is empty"),
        (ZONE + AWAKE + "    asleep: »5\n", "wrong-type: asleep is the number 5"),
        (ZONE + AWAKE + "    »asleep: {min_acu: 0}\n", "missing-key: max_acu is missing"),
        (ZONE + AWAKE.replace("max_acu: 4", "»max_ac: 4") + ASLEEP, "unknown-key: unknown key max_ac"),
        (ZONE + AWAKE.replace("min_acu: 0.5", "min_acu: »'0.5'") + ASLEEP, "wrong-type: min_acu is text"),
        (
            ZONE + AWAKE.replace("min_acu: 0.5", "min_acu: »true") + ASLEEP,
            "wrong-type: min_acu is the YAML boolean true",
        ),
        (ZONE + AWAKE.replace("MON-FRI", "»[MON]") + ASLEEP, "wrong-type: days is a list"),
        (ZONE + AWAKE.replace('"07:00"', "»7") + ASLEEP, "wrong-type: from is the number 7"),
        (ZONE + AWAKE.replace('"07:00"', "»''") + ASLEEP, "empty-value: from is empty"),
        # the zone
        ("    timezone: »Berlin\n" + AWAKE + ASLEEP, "unknown-time-zone: there is no time zone Berlin"),
        ("    timezone: »../etc/passwd\n" + AWAKE + ASLEEP, "unknown-time-zone: there is no time zone ../etc/passwd"),
        ("    timezone: »localtime\n" + AWAKE + ASLEEP, "unknown-time-zone: there is no time zone localtime"),
        ('    timezone: »"\\0"\n' + AWAKE + ASLEEP, "unknown-time-zone: there is no time zone <U+0000>"),
        ("    timezone: »Europe\n" + AWAKE + ASLEEP, "unknown-time-zone: there is no time zone Europe"),
        # days and times
        (
            ZONE + AWAKE.replace("MON-FRI", "»MON-FRY") + ASLEEP,
            "invalid-days: FRY is not a day",
        ),
        (ZONE + AWAKE.replace("MON-FRI", "»MON-") + ASLEEP, "invalid-days: a day is missing from MON-"),
        (ZONE + AWAKE.replace("MON-FRI", "»'MON,'") + ASLEEP, "invalid-days: a day is missing from MON,"),
        (ZONE + AWAKE.replace("MON-FRI", "»'MON-WED,TUE'") + ASLEEP, "duplicate-day: TUE appears twice in MON-WED,TUE"),
        (ZONE + AWAKE.replace('"07:00"', "»'7'") + ASLEEP, "invalid-time: 7 is not a time"),
        (ZONE + AWAKE.replace('"07:00"', "»'07:60'") + ASLEEP, "invalid-time: 07:60 is not a time"),
        (ZONE + AWAKE.replace('"07:00"', "»'-1:00'") + ASLEEP, "invalid-time: -1:00 is not a time"),
        (ZONE + AWAKE.replace('"07:00"', "»'24:00'") + ASLEEP, "invalid-time: a window begins at 24:00"),
        (ZONE + AWAKE.replace('"17:00"', "»'24:01'") + ASLEEP, "invalid-time: 24:01 is not a time"),
        (ZONE + AWAKE.replace('"17:00"', "»'٠٧:٠٠'") + ASLEEP, "invalid-time: ٠٧:٠٠ is not a time"),
        (ZONE + AWAKE.replace('"17:00"', '»"07:00"') + ASLEEP, "empty-window: the window MON-FRI 07:00-07:00 is empty"),
        # capacities
        (ZONE + AWAKE.replace("min_acu: 0.5", "min_acu: »-0.5") + ASLEEP, "wrong-value: min_acu is -0.5"),
        (ZONE + AWAKE.replace("min_acu: 0.5", "min_acu: »0.3") + ASLEEP, "wrong-value: min_acu is 0.3"),
        (ZONE + AWAKE.replace("max_acu: 4", "max_acu: »256.5") + ASLEEP, "wrong-value: max_acu is 256.5"),
        (ZONE + AWAKE.replace("max_acu: 4", "max_acu: »0.5") + ASLEEP, "wrong-value: max_acu is 0.5"),
        (ZONE + AWAKE.replace("max_acu: 4", "max_acu: ».inf") + ASLEEP, "wrong-value: max_acu is inf"),
        (ZONE + AWAKE.replace("max_acu: 4", "max_acu: ».nan") + ASLEEP, "wrong-value: max_acu is nan"),
        (ZONE + AWAKE.replace("max_acu: 4", "max_acu: »1e400") + ASLEEP, "wrong-value: max_acu is inf"),
        (
            ZONE + AWAKE.replace("min_acu: 0.5", "min_acu: »4.5") + ASLEEP,
            "minimum-over-maximum: the minimum of 4.5 ACUs is above the maximum of 4",
        ),
        (ZONE + AWAKE + ASLEEP.replace("max_acu: 2", "max_acu: »2.25"), "wrong-value: max_acu is 2.25"),
        (
            ZONE + AWAKE + ASLEEP.replace("min_acu: 0", "min_acu: »3"),
            "minimum-over-maximum: the minimum of 3 ACUs is above the maximum of 2",
        ),
        (ZONE + AWAKE + ASLEEP.replace("300", "»299"), "wrong-value: pause_after_seconds is 299"),
        (ZONE + AWAKE + ASLEEP.replace("300", "»86401"), "wrong-value: pause_after_seconds is 86401"),
        (ZONE + AWAKE + ASLEEP.replace("300", "»5m"), "wrong-type: pause_after_seconds is text"),
        (ZONE + AWAKE + ASLEEP.replace("300", "»300.5"), "wrong-type: pause_after_seconds is the number 300.5"),
        (
            ZONE + "    awake: »" + window(least=0, most=2) + "\n" + ASLEEP,
            "useless-window: the window MON 07:00-17:00 changes nothing",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_one_problem_at_its_place(section: str, expected: str):
    assert told(section) == [expected]


@pytest.mark.parametrize(
    ("first", "second", "what", "when"),
    [
        (
            ("MON", "07:00", "17:00"),
            ("MON", "16:59", "18:00"),
            "MON 16:59-18:00 overlaps MON 07:00-17:00",
            "MON at 16:59",
        ),
        (
            ("MON-FRI", "07:00", "17:00"),
            ("WED", "06:00", "20:00"),
            "WED 06:00-20:00 overlaps MON-FRI 07:00-17:00",
            "WED at 07:00",
        ),
        (
            ("MON", "22:00", "02:00"),
            ("TUE", "01:59", "03:00"),
            "TUE 01:59-03:00 overlaps MON 22:00-02:00",
            "TUE at 01:59",
        ),
        (
            ("SUN", "22:00", "02:00"),
            ("MON", "00:00", "00:01"),
            "MON 00:00-00:01 overlaps SUN 22:00-02:00",
            "MON at 00:00",
        ),
        (
            ("MON", "00:00", "12:00"),
            ("SUN", "12:00", "00:01"),
            "SUN 12:00-00:01 overlaps MON 00:00-12:00",
            "MON at 00:00",
        ),
        (
            ("MON", "00:00", "24:00"),
            ("MON", "23:59", "24:00"),
            "MON 23:59-24:00 overlaps MON 00:00-24:00",
            "MON at 23:59",
        ),
    ],
)
def test_windows_that_share_a_minute_overlap(
    first: tuple[str, str, str], second: tuple[str, str, str], what: str, when: str
):
    section = ZONE + awake(window(*first), window(*second)) + ASLEEP
    assert problems(section) == [
        Problem(
            "overlapping-windows",
            f"the window {what}",
            f"the other is at f:8:9; both would apply on {when}, but the cluster has one capacity at a time",
            "make one of them end where the other begins",
            Location("f", 9, 9),
            "cluster, pause_schedule",
        )
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("MON", "07:00", "17:00"), ("MON", "17:00", "18:00")),
        (("SUN", "22:00", "24:00"), ("MON", "00:00", "02:00")),
        (("SUN", "22:00", "02:00"), ("MON", "02:00", "03:00")),
        (("MON-SUN", "22:00", "06:00"), ("MON-SUN", "06:00", "22:00")),
    ],
)
def test_windows_that_only_meet_do_not_overlap(first: tuple[str, str, str], second: tuple[str, str, str]):
    assert read(ZONE + awake(window(*first), window(*second, least=1)) + ASLEEP)


def test_three_windows_of_one_time_are_two_problems_of_which_each_names_the_first():
    same = window("MON", "07:00", "08:00")
    assert [problem.where for problem in problems(ZONE + awake(same, same, same) + ASLEEP)] == [
        Location("f", 9, 9),
        Location("f", 10, 9),
    ]


def test_everything_wrong_is_told_at_once_in_the_order_of_the_file():
    section = (
        "    timezone: »Europe/Belin\n"
        + awake(
            "»" + window("MON-FRI", "07:00", "17:00", 0, 2),
            window("»MO", "»7", "17:00", "»0.3", "»1000").replace('"»7"', '»"7"'),
            "»" + window("FRI", "16:00", "20:00"),
        )
        + "    asleep: {min_acu: 0, max_acu: 2, pause_after_seconds: »10}\n"
    )
    section = section.replace("»0.3", "0.3")  # the capacity of a window that cannot be read is the schema's to judge
    assert told(section) == [
        "unknown-time-zone: there is no time zone Europe/Belin",
        "useless-window: the window MON-FRI 07:00-17:00 changes nothing",
        "invalid-days: MO is not a day",
        "invalid-time: 7 is not a time",
        "wrong-value: max_acu is 1000",
        "overlapping-windows: the window FRI 16:00-20:00 overlaps MON-FRI 07:00-17:00",
        "wrong-value: pause_after_seconds is 10",
    ]


def test_at_most_25_windows_fit():
    windows = [window("MON", time_name(at * 20), time_name(at * 20 + 10)) for at in range(26)]
    assert told(ZONE + "    awake:\n      »" + awake(*windows).split("\n      ", 1)[1] + ASLEEP) == [
        "too-many-windows: there are 26 awake windows"
    ]
    assert read(ZONE + awake(*windows[:25]) + ASLEEP)


@pytest.mark.parametrize(
    ("zone", "fix"),
    [
        ("Berlin", "did you mean Europe/Berlin?"),
        ("new york", "did you mean America/New_York?"),
        ("europe/berlin", "did you mean Europe/Berlin?"),
        ("Europe/Berln", "did you mean Europe/Berlin?"),
        ("Mars", "for example Europe/Berlin, or UTC"),
    ],
)
def test_the_zone_that_was_meant_is_named(zone: str, fix: str):
    assert [problem.fix for problem in problems(f"    timezone: {zone}\n{AWAKE}{ASLEEP}")] == [fix]


def test_half_acus_are_suggested():
    section = ZONE + AWAKE.replace("min_acu: 0.5", "min_acu: 0.8") + ASLEEP
    assert [problem.fix for problem in problems(section)] == ["write 0.5 or 1"]


def test_a_machine_without_time_zones_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(zones, "available_timezones", lambda: set[str]())  # it cannot be taken from this one
    zones.zones.cache_clear()
    try:
        [problem] = problems(ZONE + AWAKE + ASLEEP)
    finally:
        zones.zones.cache_clear()
    assert (problem.code, problem.what) == ("no-time-zones", "this machine has no time zone data")
    assert problem.fix == "install the package tzdata, from the system or with pip"


# What is wrong on the command line


@pytest.mark.parametrize(
    ("windows", "options", "expected"),
    [
        ([], {}, ("--awake", "missing-window", "no awake window is given")),
        (["MON"], {}, ('--awake "MON"', "invalid-window", "MON is not a window")),
        (["07:00-17:00"], {}, ('--awake "07:00-17:00"', "invalid-window", "07:00-17:00 is not a window")),
        (["MON 7-17"], {}, ('--awake "MON 7-17"', "invalid-time", "7 is not a time")),
        (["MO 07:00-17:00"], {}, ('--awake "MO 07:00-17:00"', "invalid-days", "MO is not a day")),
        (["MON 07:00-17:00 4"], {}, ('--awake "MON 07:00-17:00 4"', "invalid-acu", "4 is not a range of capacity")),
        (
            ["MON 07:00-07:00"],
            {},
            ('--awake "MON 07:00-07:00"', "empty-window", "the window MON 07:00-07:00 is empty"),
        ),
        (
            ["SUN 22:00-02:00", "MON 01:00-03:00"],
            {},
            (
                '--awake "MON 01:00-03:00"',
                "overlapping-windows",
                "the window MON 01:00-03:00 overlaps SUN 22:00-02:00",
            ),
        ),
        (
            ["MON 07:00-17:00"],
            {"timezone": "Berlin"},
            ("--timezone", "unknown-time-zone", "there is no time zone Berlin"),
        ),
        (["MON 07:00-17:00"], {"timezone": ""}, ("--timezone", "empty-value", "no time zone is given")),
        (["MON 07:00-17:00"], {"timezone": " "}, ("--timezone", "empty-value", "no time zone is given")),
        ([""], {}, ('--awake ""', "invalid-window", "an empty text is not a window")),
        (
            ["MON 07:00-17:00"],
            {"awake_acu": " "},
            ("--awake-acu", "invalid-acu", "an empty text is not a range of capacity"),
        ),
        (["MON 07:00-17:00"], {"awake_acu": "4"}, ("--awake-acu", "invalid-acu", "4 is not a range of capacity")),
        (["MON 07:00-17:00"], {"awake_acu": "-1-4"}, ("--awake-acu", "invalid-acu", "-1-4 is not a range of capacity")),
        (
            ["MON 07:00-17:00", "TUE 07:00-17:00"],
            {"awake_acu": "5-4"},
            ("--awake-acu", "minimum-over-maximum", "the minimum of 5 ACUs is above the maximum of 4"),
        ),
        (["MON 07:00-17:00"], {"awake_acu": "0.5-256.5"}, ("--awake-acu", "wrong-value", "max_acu is 256.5")),
        (["MON 07:00-17:00"], {"awake_acu": "0.7-4"}, ("--awake-acu", "wrong-value", "min_acu is 0.7")),
        (
            ["MON 07:00-17:00 5-4"],
            {},
            (
                '--awake "MON 07:00-17:00 5-4"',
                "minimum-over-maximum",
                "the minimum of 5 ACUs is above the maximum of 4",
            ),
        ),
        (["MON 07:00-17:00"], {"asleep_acu": "0-300"}, ("--asleep-acu", "wrong-value", "max_acu is 300")),
        (["MON 07:00-17:00"], {"asleep_acu": "0"}, ("--asleep-acu", "invalid-acu", "0 is not a range of capacity")),
        (["MON 07:00-17:00"], {"pause_after": "4m"}, ("--pause-after", "wrong-value", "pause_after_seconds is 240")),
        (["MON 07:00-17:00"], {"pause_after": "25h"}, ("--pause-after", "wrong-value", "pause_after_seconds is 90000")),
        (["MON 07:00-17:00"], {"pause_after": "soon"}, ("--pause-after", "invalid-duration", "soon is not a duration")),
        (
            ["MON 07:00-17:00"],
            {"pause_after": ""},
            ("--pause-after", "invalid-duration", "an empty text is not a duration"),
        ),
        (["MON 07:00-17:00"], {"pause_after": "0"}, ("--pause-after", "wrong-value", "pause_after_seconds is 0")),
        (
            ["MON 07:00-17:00 0-2"],
            {},
            ('--awake "MON 07:00-17:00 0-2"', "useless-window", "the window MON 07:00-17:00 changes nothing"),
        ),
    ],
)
def test_what_is_wrong_with_an_option_is_one_problem_of_it(
    windows: list[str], options: dict[str, str], expected: tuple[str, str, str]
):
    assert refused(*windows, **options) == [expected]


def test_all_that_is_wrong_with_the_options_is_told_at_once():
    found = refused("MON", "TUE 07:00-07:00", timezone="X", awake_acu="a", asleep_acu="b", pause_after="c")
    assert [(option, code) for option, code, _ in found] == [
        ("--pause-after", "invalid-duration"),
        ("--awake-acu", "invalid-acu"),
        ("--asleep-acu", "invalid-acu"),
        ('--awake "MON"', "invalid-window"),
        ("--timezone", "unknown-time-zone"),
        ('--awake "TUE 07:00-07:00"', "empty-window"),
    ]


@given(st.text(max_size=40), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_text_ends_in_anything_but_a_schedule_or_a_problem(awake: str, zone: str, acu: str, seconds: str):
    with pytest.raises(InvalidUsage) as caught:
        asked(awake, timezone=zone + "?", awake_acu=acu, asleep_acu=acu, pause_after=seconds)
    assert all(problem.what and problem.context for problem in caught.value.problems)
    asked_days = f"    awake: {{days: {awake!r}, from: '07:00', to: '08:00', min_acu: 1, max_acu: 2}}\n"
    try:
        read(ZONE + asked_days.encode("unicode_escape").decode() + ASLEEP)
    except InvalidFile as invalid:
        assert all(problem.what for problem in invalid.problems)
