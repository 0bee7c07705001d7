"""What a service is told, in the forms that other programs read: nothing of it takes a second line or means another."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import pytest

from aurora_tenants.errors import AwsError, InvalidUsage
from aurora_tenants.render.environment import writer

HOSTILE = ("b c", "it's", 'a "b"', "$HOME", "${HOME}", "a#b", "a\nB=c", "back\\slash", "`id`", "$(id)", "=", "")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("shell", "export A='b c'\nexport D=e"),
        ("dotenv", "A='b c'\nD=e"),
        ("json", '{\n  "A": "b c",\n  "D": "e"\n}'),
    ],
)
def test_three_forms(form: str, text: str):
    assert writer(form)({"A": "b c", "D": "e"}) == text


@pytest.mark.parametrize("value", HOSTILE)
def test_a_shell_reads_what_was_written(value: str):
    script = writer("shell")({"A": value}) + '\nprintf %s "$A"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == value


@pytest.mark.parametrize("value", HOSTILE)
def test_a_line_of_a_dotenv_file_is_one_line(value: str):
    assert writer("dotenv")({"A": value, "B": "c"}).splitlines()[1:] == ["B=c"]


def test_what_is_usual_stands_without_quotes_in_a_dotenv_file():
    values = {"A": "arn:aws:rds:eu-west-1:123456789012:cluster:shop", "B": "/shared/database/shop-AbC", "C": "a.b_c"}
    assert writer("dotenv")(values) == "\n".join(f"{name}={value}" for name, value in values.items())


def test_json_is_json():
    values = {str(at): value for at, value in enumerate(HOSTILE)}
    assert json.loads(writer("json")(values)) == values


def of_url(**values: str) -> Mapping[str, str]:
    known = {"USER": "shop", "HOST": "shared.cluster-x.example", "PORT": "3306", "NAME": "shop", "SECRET": "arn:x"}
    return {f"DATABASE_{name}": value for name, value in (known | values).items()}


def test_a_url_has_no_password():
    assert writer("url")(of_url()) == "mysql://shop@shared.cluster-x.example:3306/shop"


@pytest.mark.parametrize("name", ["a$b", "a_b-c", "a/b", "a@b:c", "50%"])
def test_what_a_url_takes_for_its_own_is_encoded(name: str):
    url = urlsplit(writer("url")(of_url(USER=name, NAME=name)))
    assert (unquote(url.username or ""), unquote(url.path[1:]), url.port, url.password) == (name, name, 3306, None)


def test_a_url_needs_the_address():
    values = {name: value for name, value in of_url().items() if name not in ("DATABASE_HOST", "DATABASE_PORT")}
    with pytest.raises(AwsError) as caught:
        writer("url")(values)
    assert caught.value.problems[0].why == "DATABASE_HOST and DATABASE_PORT are not known"


def test_another_form_is_refused():
    with pytest.raises(InvalidUsage, match="--format cannot be yaml"):
        writer("yaml")
