"""What a template means for one stack: parameter values put in, conditions decided, dependencies known.

A `Deployment` is everything an operation aims at; a stack holds the one it was last brought to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from aurora_sandbox.cloudformation import parameters
from aurora_sandbox.cloudformation.intrinsics import (
    Scope,
    Unresolvable,
    as_text,
    call,
    holds,
    pruned,
    references,
    resolve,
)
from aurora_sandbox.cloudformation.refusals import invalid
from aurora_sandbox.cloudformation.template import (
    PSEUDO_PARAMETERS,
    Declaration,
    Output,
    Template,
    refuse_unknown,
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A template with one stack's values.

    values: every parameter's value as text, secret ones too; never shown as they are.
    variables: what Ref gives for parameters and pseudo parameters.
    resources, outputs: those whose condition holds, with every Fn::If decided.
    dependencies: for every resource, those that must exist before it.
    imports: names of the exports it reads.
    """

    template: Template
    values: Mapping[str, str]
    tags: Mapping[str, str]
    capabilities: tuple[str, ...]
    variables: Mapping[str, Any]
    conditions: Mapping[str, bool]
    resources: Mapping[str, Declaration]
    outputs: Mapping[str, Output]
    dependencies: Mapping[str, frozenset[str]]
    imports: frozenset[str]


def deployment(
    template: Template,
    values: Mapping[str, str],
    *,
    tags: Mapping[str, str],
    capabilities: tuple[str, ...],
    facts: Mapping[str, Any],
) -> Deployment:
    """The template with these values.

    facts: the pseudo parameters, but AWS::NoValue.
    Raises ValidationError for references to resources that do not take part, and for circles of them.
    """
    variables = {**facts, **parameters.variables(template.parameters, values)}
    try:
        conditions = _conditions(template, variables)
        resources = _taking_part(template, conditions)
        outputs = _shown(template, conditions)
        wanted = [[item.properties for item in resources.values()], [item.value for item in outputs.values()]]
        imports = frozenset(_imports(wanted, Scope(variables, template.mappings, conditions)))
        dependencies = _dependencies(template, resources)
    except Unresolvable as exc:
        raise invalid(str(exc)) from exc
    _refuse_missing(template, resources, outputs)
    _refuse_circles(dependencies)
    return Deployment(
        template=template,
        values=values,
        tags=tags,
        capabilities=capabilities,
        variables=variables,
        conditions=conditions,
        resources=resources,
        outputs=outputs,
        dependencies=dependencies,
        imports=imports,
    )


def _taking_part(template: Template, conditions: Mapping[str, bool]) -> dict[str, Declaration]:
    return {
        name: replace(item, properties=pruned(item.properties, conditions))
        for name, item in template.resources.items()
        if item.condition is None or conditions[item.condition]
    }


def _shown(template: Template, conditions: Mapping[str, bool]) -> dict[str, Output]:
    return {
        name: replace(item, value=pruned(item.value, conditions), export_name=pruned(item.export_name, conditions))
        for name, item in template.outputs.items()
        if item.condition is None or conditions[item.condition]
    }


def _conditions(template: Template, variables: Mapping[str, Any]) -> dict[str, bool]:
    scope = Scope(variables, template.mappings, {})

    def decided(name: str, above: tuple[str, ...] = ()) -> bool:
        if name not in template.conditions:
            raise Unresolvable(f"Template format error: Unresolved condition dependency {name} in the Conditions block")
        if name in above:
            raise Unresolvable(f"Template error: Circular dependency between conditions: [{', '.join(above)}]")
        return holds(template.conditions[name], scope, lambda other: decided(other, (*above, name)))

    return {name: decided(name) for name in template.conditions}


def _imports(value: Any, scope: Scope) -> set[str]:
    if isinstance(value, list):
        return {name for item in value for name in _imports(item, scope)}
    if not isinstance(value, dict):
        return set()
    name, argument = call(value) or ("", None)
    if name == "Fn::ImportValue":
        return {as_text(resolve(argument, scope))}
    return {found for item in value.values() for found in _imports(item, scope)}


def _dependencies(template: Template, resources: Mapping[str, Declaration]) -> dict[str, frozenset[str]]:
    """A DependsOn of a resource that does not take part is left out; a reference to one is a mistake."""
    return {
        name: frozenset(
            {found.name for found in references(item.properties) if found.name in template.resources}
            | (set(item.depends_on) & resources.keys())
        )
        for name, item in resources.items()
    }


def _refuse_missing(template: Template, resources: Mapping[str, Declaration], outputs: Mapping[str, Output]) -> None:
    known = resources.keys() | template.parameters.keys() | PSEUDO_PARAMETERS
    properties = [item.properties for item in resources.values()]
    refuse_unknown(references(properties), known, "Resources")
    refuse_unknown(references([[item.value, item.export_name] for item in outputs.values()]), known, "Outputs")


def _refuse_circles(dependencies: Mapping[str, frozenset[str]]) -> None:
    try:
        TopologicalSorter(dependencies).prepare()
    except CycleError as exc:
        names = ", ".join(sorted(set(exc.args[1])))
        raise invalid(f"Circular dependency between resources: [{names}]") from exc
