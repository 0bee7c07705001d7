"""Files that are far too large, or stand for far too much, are refused soon; large ones are read soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from aurora_tenants import config
from aurora_tenants.config.declared import MOST_STAGES
from aurora_tenants.config.yaml_file import MOST_BYTES
from aurora_tenants.errors import InvalidFile, Problem
from tests.tenants_file import HEAD, problems, told


def stages(number: int) -> str:
    return "[" + ", ".join(f"s{at}" for at in range(number)) + "]"


def test_more_than_five_hundred_stages_are_refused_at_their_place():
    body = "  shop: {{stages: {}{}, databases: {{'shop-{{stage}}': }}}}\n"
    assert len(config.parse(HEAD + body.format("", stages(MOST_STAGES)), "f").tenants) == 500
    (problem,) = problems(HEAD + body.format("", stages(MOST_STAGES + 1)))
    assert problem == Problem(
        "too-many-stages",
        "tenant shop has 501 stages",
        "each is a stack of its own, and a service can have at most 500",
        "make several services of it",
        problem.where,
        "tenant shop",
    )
    assert str(problem.where) == "f:4:18"
    assert told(body.format("»", stages(20_000))) == ["too-many-stages: tenant shop has 20000 stages"]


@pytest.mark.parametrize(
    "body",
    [
        "  a: {stages: &s " + stages(500) + "}\n" + "".join(f"  a{at}: {{stages: *s}}\n" for at in range(500)),
        f"  a:\n    stages: {stages(500)}\n    users:\n"
        + "".join(f"      'u{at}-{{stage}}': \n" for at in range(2_000)),
    ],
    ids=["many services", "many users"],
)
def test_stages_that_stand_for_far_too_much_are_refused_before_they_are_written_out(body: str):
    (problem,) = problems(HEAD + body)
    assert (problem.code, problem.fix) == ("too-large", "use fewer stages")
    assert problem.where is not None and problem.where.line > 3


def test_the_time_for_stages_and_shared_databases_does_not_grow_with_their_square():
    def seconds(number: int) -> float:
        others = "".join(f"  t{at}: {{databases: {{t{at}: {{shared_with: [t0]}}}}}}\n" for at in range(1, number))
        text = HEAD + "  t0:\n" + others + f"  shop: {{stages: {stages(min(number, 500))}}}\n"
        began = time.process_time()
        config.parse(text, "f")
        return time.process_time() - began

    seconds(10)
    # Eight times as much takes eight times as long; by the square, sixty-four times.
    assert seconds(4_000) < 25 * max(seconds(500), 0.01)


def test_a_file_that_never_ends_is_refused(tmp_path: Path):
    if not Path("/dev/zero").exists():
        pytest.skip("there is no /dev/zero")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MOST_BYTES + 1))
    for path in (large, Path("/dev/zero")):
        with pytest.raises(InvalidFile) as caught:
            config.load(path)
        (problem,) = caught.value.problems
        assert problem.what == f"{path} is too large"
        assert problem.why == "at most 10,000,000 bytes are read"
