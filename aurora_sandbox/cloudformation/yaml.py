"""The text of a template as plain data: JSON, or YAML 1.1 with CloudFormation's short forms.

`!GetAtt Database.Arn` becomes `{"Fn::GetAtt": ["Database", "Arn"]}`, every other `!Name x` becomes `{"Fn::Name": x}`.
Dates stay text (a policy's `Version: 2012-10-17`), as CloudFormation does not know YAML's timestamps.

Of YAML 1.1's words for booleans, CloudFormation reads yes, no, on and off as such, and y and n as text: as values. Keys
are names, and stay as they are written. Sources for values: ASFHyP3/hyp3 #2061 (a tag's YES became true), aws/aws-cli
#5245 (yes) and #7805 (y stays); for keys no source was found, and AWS may turn a key `No` into false.
"""

from __future__ import annotations

import json
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from aurora_sandbox.cloudformation.refusals import invalid

_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
_WITHOUT_PREFIX = frozenset({"Ref", "Condition"})


class _Constructor(SafeConstructor):
    """Builds plain dicts, lists and scalars."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """A mapping, whose scalar keys are text: `12` and `On` are names like any other."""
        for key, _ in getattr(node, "value", ()):
            if isinstance(key, ScalarNode) and key.tag != _MERGE:
                key.tag = _TEXT
        return super().construct_mapping(node, deep=deep)

    def construct_boolean(self, node: Any) -> Any:
        """A boolean, or the text y or n."""
        text = self.construct_scalar(node)
        return text if text.lower() in ("y", "n") else text.lower() in ("yes", "on", "true")


class _Composer(Composer):
    """Refuses aliases, as CloudFormation does."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.parser.check_event(AliasEvent):
            raise invalid("Template error: YAML aliases are not allowed in CloudFormation templates")
        return super().compose_node(parent, index)


def _short_form(constructor: SafeConstructor, suffix: str, node: Node) -> dict[str, Any]:
    if isinstance(node, ScalarNode):
        value: Any = constructor.construct_scalar(node)
    elif isinstance(node, MappingNode):
        value = constructor.construct_mapping(node, deep=True)
    else:
        value = constructor.construct_sequence(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in _WITHOUT_PREFIX else f"Fn::{suffix}": value}


_Constructor.add_multi_constructor("!", _short_form)
_Constructor.add_constructor("tag:yaml.org,2002:bool", _Constructor.construct_boolean)
_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_scalar)


def load(body: str) -> dict[str, Any]:
    """The template as a mapping of its sections. Raises ValidationError with AWS's text."""
    raw = _json(body) if body.lstrip().startswith("{") else _yaml(body)
    if not isinstance(raw, dict):
        raise invalid("Template format error: unsupported structure.")
    return raw


def _json(body: str) -> Any:
    try:
        return json.loads(body)
    except json.JSONDecodeError:
        # A YAML flow mapping starts with a brace too: { Resources: { … } }
        return _yaml(body)


def _yaml(body: str) -> Any:
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer, yaml.Constructor = _Composer, _Constructor
    yaml.version = (1, 1)
    try:
        return yaml.load(body)
    except MarkedYAMLError as exc:
        mark = exc.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise invalid(f"Template format error: YAML not well-formed.{where}") from exc
    except YAMLError as exc:
        raise invalid("Template format error: YAML not well-formed.") from exc
