"""`script/smoke` from beginning to end, in a sandbox: what is true passes, and what is not is named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aurora_tenants.aws.clients import Aws, connect
from tests.tools.smoke.conftest import Account, Ended
from tools.smoke import cleaning, deployment, run, world
from tools.smoke.answers import Answers, load
from tools.smoke.clock import RealClock
from tools.smoke.cost import SECRETS, estimate, with_needs
from tools.smoke.probe import Probe, judge
from tools.smoke.probes import PROBES, rotation

Json = Any
# What a sandbox cannot show, and says so.
NOT_HERE = {"iam-token", "metric-each-minute", "non-ascii-routine", "region-of-bucket"}
KNOWN = {probe.id: probe for probe in PROBES}
ASKED = [probe.id for probe in PROBES if not probe.disturbs]
pytestmark = pytest.mark.long
FALSE = ("error-text", "json-column-order", "range-at-half-with-seconds")


@dataclass(frozen=True, slots=True)
class Run:
    """One whole run."""

    ended: Ended
    document: dict[str, Json]
    secrets: frozenset[str]
    left: dict[str, Any]
    made: frozenset[str]
    worked: dict[str, set[str]]


@pytest.fixture(scope="module")
def whole(account: Account, empty: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("answers") / "answers.json"
    made: list[Answers] = []

    class Kept(Answers):
        """What a run knows to be secret is only known to itself."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    there: list[str] = []
    worked: dict[str, set[str]] = {}
    asking = [""]

    def clean(*arguments: Any) -> Any:
        there.extend(account.secrets())
        return cleaning.clean(*arguments)

    def asked(probe: Probe, made: world.World) -> Any:
        asking[0] = probe.id
        return run_asked(probe, made)

    def once(made: world.World, what: str, ask: Callable[[], Any]) -> Any:
        worked.setdefault(what, set()).add(asking[0])
        return world_once(made, what, ask)

    run_asked, world_once = run.asked, world.World.once
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "Answers", Kept)
        patch.setattr(run, "cleaning", SimpleNamespace(clean=clean))
        patch.setattr(run, "asked", asked)
        patch.setattr(world.World, "once", once)
        ended = account.smoke("--yes", "--answers", str(path))
    return Run(ended, load(path), frozenset(made[0].secrets), account.contents(), frozenset(there), worked)


def test_on_the_sandbox_everything_is_as_expected_or_says_why_it_was_not_run(whole: Run):
    assert (whole.ended.of("differs"), whole.ended.of("not run")) == (set(), NOT_HERE)
    assert whole.ended.of("same") == {*ASKED} - NOT_HERE
    assert whole.ended.code == 0
    assert f"{len(ASKED) - len(NOT_HERE)} same, 0 differs, {len(NOT_HERE)} not run" in whole.ended.out


def test_the_file_has_an_answer_for_every_probe(whole: Run):
    assert list(whole.document["answers"]) == ASKED
    assert whole.document["region"] == "eu-west-1"
    assert whole.document["is_sandbox"] is True


def test_no_password_is_in_the_file_or_on_the_screen(whole: Run):
    shown = json.dumps(whole.document, ensure_ascii=False) + whole.ended.out
    assert len(whole.secrets) > 10
    assert [secret for secret in whole.secrets if secret in shown] == []


def test_the_secrets_that_a_run_makes_are_counted(whole: Run):
    made = {name for name in whole.made if "/rotation-test/" not in name}  # which are there for seconds
    assert len(made) == SECRETS, sorted(made)


# What probes share, and which of them has its time. All else that is asked once is there without waiting.
SHARED = {
    "tenants": "tenant-by-service-role",
    "set": "scheduler-assumes-role",
    "fired": "scheduler-passes-seconds",
    "paused": "metric-while-paused",
    "rotated": "rotation-at-once",
    "code in bucket": "code-sha256",
}
AT_ONCE = {"aws", "deployed", "watch", "outputs", "master secret", "database", "variables", "bucket", "role of CI"}


def test_what_a_probe_takes_along_is_in_its_time(whole: Run):
    assert whole.worked.keys() == SHARED.keys() | AT_ONCE
    for what, owner in SHARED.items():
        users = [KNOWN[name] for name in whole.worked[what] if name]
        assert [it.id for it in users if KNOWN[owner] not in with_needs([it])] == [], what


def test_only_a_probe_costs_what_it_needs_too():
    minutes = {name: estimate([KNOWN[name]], "eu-west-1").minutes for name in ("error-text", "waking", "dead-letter")}
    assert minutes == {"error-text": 31, "waking": 41, "dead-letter": 34}


def test_a_probe_that_disturbs_others_is_asked_only_by_its_name(account: Account, tmp_path: Path):
    name = "describe-stacks-throttled"
    alone = account.smoke("--only", name, "--only", "error-text", "--answers", str(tmp_path / "a"))
    assert f"{name} has DescribeStacks throttled for up to a minute, for everybody" in alone.out
    everything = account.smoke("--answers", str(tmp_path / "b"))
    assert f"Not asked: {name}, which has DescribeStacks throttled" in everything.out
    assert f"It asks {len(ASKED)} probes." in everything.out


def test_a_stopped_cluster_is_started_again(account: Account, empty: dict[str, Any], tmp_path: Path):
    ended = account.smoke("--yes", "--only", "stopped-cluster", "--answers", str(tmp_path / "a"))
    assert (ended.of("same"), account.contents()) == ({"stopped-cluster"}, empty), ended.out
    answer = load(tmp_path / "a")["answers"]["stopped-cluster"]["answer"]
    assert list(answer["data_api"]) == ["stopped", "available"]
    assert answer["data_api"]["available"] is None
    stopped = {**answer, "data_api": {**answer["data_api"], "stopped": {"code": "DatabaseUnavailableException"}}}
    assert "the Data API says" in of_account("stopped-cluster", stopped)
    assert "ModifyDBCluster says nothing" in of_account("stopped-cluster", {**answer, "modify": None})
    assert "it did not stop" in of_account("stopped-cluster", {**answer, "is_stopped": False})


def test_nothing_is_left_of_a_whole_run(whole: Run, empty: dict[str, Any]):
    assert whole.left == empty


def test_what_it_makes_and_costs_is_told_first(whole: Run):
    head = whole.ended.out.partition("Deploying")[0]
    assert "account 123456789012, region eu-west-1" in head
    assert "This is a sandbox: it takes a minute and costs nothing." in head


def test_in_an_account_the_price_and_the_time_are_told_too(tmp_path: Path):
    made = world.World("smoke-1a2b3c4d", "123456789012", "us-east-1", None, RealClock(), tmp_path)
    told = run.announcement(made, run.Options(), PROBES)
    assert f"It takes {estimate(PROBES, 'us-east-1')}." in told
    assert "The credentials have to hold for that long." in told
    assert "123456789012" not in run.announcement(made, run.Options(hide_account=True), PROBES)


def test_time_is_real_wherever_no_sandbox_answers():
    assert isinstance(run.clock_of({}), RealClock)
    assert isinstance(run.clock_of({"AWS_ENDPOINT_URL": "https://rds.eu-west-1.amazonaws.com"}), RealClock)


# Every expectation can fail


def others(value: Json, path: str = "$") -> Iterator[tuple[str, Json]]:
    """The same answer with one part changed, for each part; what worked fails, and what failed works.

    Parts of a list have one path. Of what the Data API answered there are two: whether it is an error, and its rows.
    """
    if isinstance(value, dict):
        if "records" in value or "formatted" in value:
            yield path, {"error": {"code": "OtherException", "message": "something else"}}
        if "error" in value:
            yield path, {"records": []}
        for key, inner in value.items():
            within = path if path.endswith(" rows") else _within(path, key)
            yield from ((place, {**value, key: other}) for place, other in others(inner, within))
    elif isinstance(value, list):
        if value or not path.endswith(" rows"):  # a statement that gives no rows is judged by its error alone
            yield path, ["something else"] if not value else []
        for number, inner in enumerate(value):
            within = ((place, [*value[:number], other, *value[number + 1 :]]) for place, other in others(inner, path))
            yield from within
    elif isinstance(value, bool):
        yield path, not value
    elif isinstance(value, int | float):
        yield path, value + 1_000_000
    else:
        yield path, "something else"


def _within(path: str, key: str) -> str:
    if key in ("records", "formatted"):
        return f"{path} rows"
    return path if key in ("error", "code", "message") else f"{path}.{key}"


# Why a step failed, how long it took, what was said: for people and for `--replay`, and nothing rests on it.
NEVER = re.compile(r".*\.(text|sql|found|why|\w+_seconds)")
_SCALING = {
    f"$.{when}.{key}" for when in ("before", "after") for key in ("MinCapacity", "MaxCapacity", "SecondsUntilAutoPause")
}
_VARIABLES = (
    *("version", "aurora_version", "partial_revokes", "lower_case_table_names", "activate_all_roles_on_login"),
    *("log_bin_trust_function_creators", "require_secure_transport", "sql_mode"),
)
# Parts that do not count for a probe either: another probe's, or shown beside what counts.
UNCLAIMED: dict[str, set[str]] = {
    "cancelled-rotation": {"$.function", "$.next"},  # a plan goes by RotationEnabled
    "checksum-of-object": {"$.checksum"},  # is_same counts
    "code-from-mapping": {"$.bytes"},  # more is no worse
    "code-moves-in-between": {"$.deploy.changed"},
    "code-sha256": {"$.deploy.changed"},
    "connections-function": {"$.uptime rows"},  # any number
    "counters": {"$.made.status"},  # what it was updated to tells that it was made
    "dead-letter": {*_SCALING, "$.role_allows"},
    "dual-passwords": {f"$.{each} rows" for each in ("new", "new_afterwards", "old_beside_new")},  # SELECT 1
    "grants-of-master": {"$.user", "$.user rows"},  # its name is AWS's to choose
    "hosted-rotation-function": {"$.reason"},  # of what was not refused
    "login-over-tls": {"$.host", "$.host rows"},  # which is why users have %
    "modify-is-enough": {*_SCALING, "$.letters", "$.letters.attributes", "$.letters.schedule"},
    "new-secret-tried": {"$.right rows"},  # SELECT 1
    "new-secret-used": {"$.refused_calls"},
    "range-at-half-with-seconds": {
        f"$.afterwards.{key}" for key in ("MinCapacity", "MaxCapacity", "SecondsUntilAutoPause")
    },
    "range-at-half-without-seconds": {"$.asleep.accepted", "$.awake.accepted"},  # an error counts, and what holds
    "restored-secret": {"$.kept_rotation"},  # nobody says it, and apply does not rely on it
    "rotation-at-once": {"$.old_login rows", "$.enabled"},  # SELECT 1, and rotation-enabled's
    "update-keeps-capacity": {"$.set.accepted"},
    "rotation-not-at-once": {"$.stages"},  # AWS may have labels of its own; the values count
    "rotation-windows": {f"$.{days}.next" for days in rotation._DAYS},  # when it is, no window says
    "scheduler-passes-seconds": {
        *(place for place in _SCALING if ".before." in place),
        *("$.letters", "$.letters.attributes", "$.letters.schedule", "$.role_allows"),
    },
    "server-variables": {f"$.{name}{rows}" for name in _VARIABLES for rows in ("", " rows")}
    | {"$.authentication_policy rows", "$.default_authentication_plugin"},  # one of both is there
}


@pytest.mark.parametrize("name", sorted({*ASKED} - NOT_HERE))
def test_an_expectation_fails_on_another_answer(whole: Run, name: str):
    recorded = whole.document["answers"][name]
    assert judge(KNOWN[name], recorded).kind == "same"
    kinds: dict[str, set[str]] = {}
    for path, other in others(recorded["answer"]):
        kinds.setdefault(path, set()).add(judge(KNOWN[name], {"answer": other}).kind)
    unclaimed = {path for path, found in kinds.items() if "differs" not in found}
    unclaimed = {path for path in unclaimed if not NEVER.fullmatch(path)}
    assert unclaimed == UNCLAIMED.get(name, set())
    assert unclaimed != kinds.keys()


@pytest.mark.parametrize("name", sorted({*ASKED} - NOT_HERE))
def test_a_probe_that_failed_differs(name: str):
    assert judge(KNOWN[name], {"failed": "ClientError: no"}).kind == "differs"


def of_account(name: str, answer: Json) -> str:
    """What is said of an answer that only an account can give."""
    return judge(KNOWN[name], {"answer": answer}).text


def test_expectations_of_what_only_an_account_can_show():
    throttled = {"code": "Throttling", "message": "Rate exceeded"}
    answer = {"refused": throttled, "calls": 40, "rate_per_second": 80.0}
    assert of_account("describe-stacks-throttled", answer) == ""
    assert "400 calls" in of_account("describe-stacks-throttled", {**answer, "refused": None, "calls": 400})
    assert "Other" in of_account("describe-stacks-throttled", {**answer, "refused": {"code": "Other", "message": ""}})
    assert of_account("metric-each-minute", {"of_minutes": 5, "values": [0.0] * 5}) == ""
    assert "5 minutes have 4 values" in of_account("metric-each-minute", {"of_minutes": 5, "values": [0.0] * 4})
    assert "the values are" in of_account("metric-each-minute", {"of_minutes": 5, "values": [0.0, 0.0, 0.0, 0.0, 0.5]})
    login = {"create": {"records": []}, "login": {"user": "smoke_token@%"}}
    assert of_account("iam-token", login) == ""
    assert "1045" in of_account("iam-token", {**login, "login": {"error": "(1045, 'Access denied')"}})
    assert of_account("region-of-bucket", {"status": 403, "says_region": True}) == ""
    assert "without" in of_account("region-of-bucket", {"status": 403, "says_region": False})
    ok, count = {"records": []}, {"records": [[{"longValue": 0}]]}
    name = {"records": [[{"stringValue": "größe".encode().hex().upper()}]]}
    routine = {"made": ok, "granted": ok, "hex": name, "revoked": ok, "left": count}
    assert of_account("non-ascii-routine", routine) == ""
    assert "still there" in of_account("non-ascii-routine", {**routine, "left": {"records": [[{"longValue": 1}]]}})
    twice = {"records": [[{"stringValue": "6772C383C2B6C383C5B865"}]]}
    assert "C383" in of_account("non-ascii-routine", {**routine, "hex": twice})


def test_without_partial_revokes_other_answers_are_expected():
    off, ok = {"records": [[{"longValue": 0}]]}, {"records": []}
    dynamic = {"partial_revokes": off, "granted": ok, "alone": ok, "with_reload": ok, "all": ok}
    assert of_account("revoked-dynamic-privilege", dynamic) == ""
    refused = {"error": {"code": "DatabaseErrorException", "message": "no; Error code: 3879; SQLState: HY000"}}
    assert "3879" in of_account("revoked-dynamic-privilege", {**dynamic, "alone": refused})
    no_grant = {"error": {"code": "DatabaseErrorException", "message": "There is no such grant defined for user"}}
    assert of_account("revoked-in-part", {"partial_revokes": off, "made": [ok, no_grant, ok], "grants": ok}) == ""
    assert "not refused" in of_account("revoked-in-part", {"partial_revokes": off, "made": [ok, ok, ok], "grants": ok})


# A false answer is named, and no other


@pytest.fixture
def lying(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of AWS's answers are false on their way to the probes: the hook is botocore's own."""

    def text(parsed: dict[str, Any], **_: Any) -> None:
        if "SELEC'" in (message := parsed.get("Error", {}).get("Message", "")):
            parsed["Error"]["Message"] = message.partition(";")[0]
        if parsed.get("formattedRecords") == '[{"z":1,"a":2}]':
            parsed["formattedRecords"] = '[{"a":2,"z":1}]'

    def refused(parsed: dict[str, Any], **_: Any) -> None:
        if "Error" in parsed:
            parsed["Error"]["Message"] = "The parameter is wrong."

    def connected(**options: Any) -> Aws:
        aws = connect(**options)
        aws.rds_data.meta.events.register("after-call.rds-data.ExecuteStatement", text)

        def client(name: str) -> Any:
            made = aws.client(name)
            made.meta.events.register("after-call.rds.ModifyDBCluster", refused)
            return made

        return replace(aws, client=client)

    monkeypatch.setattr(world, "connect", connected)


@pytest.mark.usefixtures("lying")
def test_exactly_the_answers_that_are_false_are_named(account: Account, empty: dict[str, Any], tmp_path: Path):
    neighbours = {"existing-function", "text-of-binary-collations", "range-at-half-without-seconds", "partial-revokes"}
    only = [word for name in (*FALSE, *neighbours) for word in ("--only", name)]
    ended = account.smoke("--yes", *only, "--answers", str(tmp_path / "answers.json"))
    assert (ended.code, ended.of("differs"), ended.of("same")) == (2, {*FALSE}, neighbours)
    assert "the keys came as a, z" in ended.out
    assert "the text is: The parameter is wrong." in ended.out
    assert account.contents() == empty


@pytest.fixture
def odd(account: Account) -> Iterator[None]:
    """The Data API answers in all the ways that AWS does not document, and now and then not at all."""
    account.post("answers", {"error_numbers": "none", "base64": True, "reversed_keys": True})
    account.early(4, every=17)
    account.drop(11, every=40)
    yield
    account.post("answers", {})
    account.clear()


@pytest.mark.usefixtures("odd")
def test_a_data_api_that_answers_oddly_fails_the_probes_of_that_alone(account: Account, tmp_path: Path):
    odd = {"error-text", "existing-function", "text-of-binary-collations", "json-column-order"}
    quick = [probe for probe in PROBES if sum(it.takes_seconds for it in with_needs([probe])) <= 2]
    chosen = [probe for probe in quick if not probe.id.startswith("checksum")]
    ended = account.smoke("--yes", "--answers", str(tmp_path / "answers.json"), probes=chosen)
    assert ended.of("differs") == odd, ended.out
    # A statement whose answer was lost may end its probe, and never makes it a difference.
    assert ended.of("same") | ended.of("not run") == {probe.id for probe in chosen} - odd
    assert len(ended.of("same")) > 15


def falsified(document: dict[str, Json]) -> dict[str, Json]:
    """The same three answers, as another account might have given them."""
    answers = json.loads(json.dumps(document["answers"]))
    answers["error-text"]["answer"]["error"]["message"] = "You have an error in your SQL syntax"
    answers["json-column-order"]["answer"]["formatted"] = '[{"a":2,"z":1}]'
    answers["range-at-half-with-seconds"]["answer"]["error"]["code"] = "InvalidParameterCombination"
    return {**document, "answers": answers}


def test_a_replay_names_exactly_the_answers_that_a_sandbox_gives_otherwise(
    account: Account, whole: Run, tmp_path: Path
):
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(falsified(whole.document)))
    ended = account.smoke("--replay", str(path))
    compared = len(ASKED) - len(NOT_HERE)
    assert ended.out.splitlines()[-1] == f"{compared} answers compared, 3 differ: {', '.join(FALSE)}"
    assert ended.code == 2
    assert 'error-text $.answer.error.message: the account has "You have an error in your SQL syntax"' in ended.out
    assert all(f"not compared  {name}" in ended.out for name in NOT_HERE)


def test_a_wrong_expectation_makes_a_run_fail(account: Account, tmp_path: Path):
    probes = [replace(KNOWN["partial-revokes"], expect=lambda answer: "it is something else"), KNOWN["error-text"]]
    ended = account.smoke("--yes", "--answers", str(tmp_path / "answers.json"), probes=probes)
    assert (ended.code, ended.of("differs"), ended.of("same")) == (2, {"partial-revokes"}, {"error-text"})


# What goes wrong


def raising(error: BaseException) -> Probe:
    def ask(_: world.World) -> Json:
        raise error

    return replace(KNOWN["error-text"], id="raising", ask=ask)


def test_a_probe_that_fails_stops_no_other(account: Account, empty: dict[str, Any], tmp_path: Path):
    path = tmp_path / "answers.json"
    probes = [raising(RuntimeError("it broke")), KNOWN["json-column-order"]]
    ended = account.smoke("--yes", "--answers", str(path), probes=probes)
    assert (ended.code, ended.of("differs"), ended.of("same")) == (2, {"raising"}, {"json-column-order"})
    assert load(path)["answers"]["raising"] == {"failed": "RuntimeError: it broke"}
    assert account.contents() == empty


def test_without_the_shared_stack_it_could_not_be_run(
    account: Account, empty: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(deployment.PARAMETERS, "MaxCapacity", "0.5")
    only = ("--only", "shared-deploy", "--only", "error-text", "--only", "tenant-by-service-role")
    ended = account.smoke("--yes", *only, "--answers", str(tmp_path / "answers.json"))
    assert (ended.code, ended.of("differs"), ended.of("not run")) == (
        1,
        {"shared-deploy"},
        {"error-text", "tenant-by-service-role"},
    )
    assert "error: the shared stack could not be deployed: " in ended.out
    assert account.contents() == empty


def test_without_a_terminal_and_without_yes_nothing_is_made(account: Account, empty: dict[str, Any], tmp_path: Path):
    path = tmp_path / "answers.json"
    ended = account.smoke("--answers", str(path))
    assert ended.code == 1
    assert "pass --yes" in ended.out
    assert (account.contents(), path.exists()) == (empty, False)


def test_a_file_that_cannot_be_written_is_told_before_anything_is_made(account: Account, empty: dict[str, Any]):
    ended = account.smoke("--yes", "--answers", "/nowhere/answers.json")
    assert ended.code == 1
    assert "Deploying" not in ended.out
    assert "/nowhere/" in ended.out
    assert account.contents() == empty


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "error-tex"], "there is no probe error-tex; did you mean error-text?"),
        (["--clean", "shared-global"], "shared-global is no name that this gives"),
        (["--clean", "smoke-1a2b3c4d-x"], "is no name that this gives"),
        (["--list", "--docs"], "not allowed with"),
    ],
)
def test_options_that_cannot_be_used_are_refused(
    account: Account, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
):
    with pytest.raises(SystemExit) as ended:
        account.smoke(*arguments)
    assert ended.value.code == 1  # 2 says that something differs
    assert said in capsys.readouterr().err


def test_the_list_asks_nothing(account: Account):
    before: Callable[[], Any] = account.calls
    calls = before()
    ended = account.smoke("--list", "--only", "waking")
    assert (ended.code, ended.out.split()[0], account.calls()) == (0, "waking", calls)


def test_a_replay_of_one_probe_speaks_of_no_other(account: Account, whole: Run, tmp_path: Path):
    path = tmp_path / "answers.json"
    old = {**whole.document["answers"], "long-gone": {"answer": 1}, "error-text": {"answer": 1}}
    path.write_text(json.dumps({**whole.document, "answers": old}))
    ended = account.smoke("--replay", str(path), "--only", "error-text")
    assert [line for line in ended.out.splitlines() if "any more" in line] == ["There is no probe long-gone any more."]
    assert ended.out.splitlines()[-1] == "1 answers compared, 1 differ: error-text"
    assert ended.code == 2


def test_a_replay_reads_answers_of_any_form(account: Account, whole: Run, tmp_path: Path):
    path = tmp_path / "answers.json"
    path.write_text(json.dumps({**whole.document, "answers": {"partial-revokes": {"answer": ["odd"]}}}))
    ended = account.smoke("--replay", str(path))
    assert ended.out.splitlines()[-1] == "1 answers compared, 1 differ: partial-revokes"


def test_answers_of_another_run_are_not_overwritten(account: Account, tmp_path: Path):
    path = tmp_path / "answers.json"
    path.write_text("precious")
    ended = account.smoke("--yes", "--answers", str(path))
    assert (ended.code, ended.out.splitlines()[-1]) == (
        1,
        f"error: {path} is there already: name another file for the answers",
    )
    assert path.read_text() == "precious"


def test_an_interrupt_at_the_question_says_what_was_not_done(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*_: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_confirmed", interrupted)
    account.client("logs").create_log_group(logGroupName="/aws/lambda/smoke-0123abcd-x")
    ended = account.smoke("--clean", "smoke-0123abcd")
    assert ended.out.splitlines()[-1] == "Interrupted. Nothing was deleted."
    assert account.smoke("--answers", str(tmp_path / "a")).out.splitlines()[-1] == "Interrupted. Nothing was made."
    monkeypatch.undo()
    assert account.smoke("--clean", "smoke-0123abcd", "--yes").code == 0


def test_without_a_region_the_fix_is_an_option_of_this_program(account: Account):
    without = {key: value for key, value in account.environment.items() if "REGION" not in key}
    told = replace(account, environment=without).smoke("--yes")
    assert "fix: pass --region, or set AWS_REGION or AWS_DEFAULT_REGION" in told.out
    assert "tenants.yaml" not in told.out


def test_a_file_of_something_else_is_not_replayed(account: Account, tmp_path: Path):
    (tmp_path / "other.json").write_text("{}")
    ended = account.smoke("--replay", str(tmp_path / "other.json"))
    assert (ended.code, "holds no answers" in ended.out) == (1, True)
