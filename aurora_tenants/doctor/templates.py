"""The file, and what CloudFormation makes of the templates: the shared stack's and the tenants'. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aurora_tenants.doctor.finding import Verdict, ok, problem
from aurora_tenants.errors import Problem
from aurora_tenants.model import Cluster, Configuration
from aurora_tenants.stack import MAX_TEMPLATE_BYTES, Template
from aurora_tenants.tenant.template import template

# How many tenants' templates CloudFormation is asked about.
MOST_ASKED = 10
# What a change set of this program grants.
_GRANTED = frozenset({"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"})
# "CloudFormation quotas", CloudFormation User Guide.
MAX_RESOURCES, MAX_OUTPUTS = 500, 200


class FileFacts(NamedTuple):
    """A file that was read. problems: what is wrong with it, and then there is no configuration."""

    path: str
    configuration: Configuration | None
    problems: tuple[Problem, ...] = ()


class Validated(NamedTuple):
    """CloudFormation's word on a template. about: whose. refusal: empty when it was accepted."""

    about: str
    refusal: str = ""
    capabilities: tuple[str, ...] = ()


class TenantTemplates(NamedTuple):
    """The templates of a file: those that CloudFormation was asked about, and the sizes of all by tenant."""

    asked: tuple[Validated, ...]
    sizes: Mapping[str, tuple[int, int, int]]
    shapes: int


def check_file(file: FileFacts) -> Iterator[Verdict]:
    if file.configuration:
        tenants = len(file.configuration.tenants)
        yield ok(f"{file.path} is valid: {tenants} tenant{'' if tenants == 1 else 's'}")
        return
    first, count = file.problems[0], len(file.problems)
    found = f"{file.path} has {count} problem{'' if count == 1 else 's'}; the first: {first.what}"
    if first.code in ("file-not-found", "file-not-readable"):
        yield problem(first.what, first.why, "name another file, or start from the first example in README.md")
    else:
        yield problem(found, "plan and apply need a valid file", f"run: aurora-tenants validate --file {file.path}")


def check_shared_template(validated: Validated) -> Iterator[Verdict]:
    yield _verdict(validated) or ok("CloudFormation accepts the shared stack's template")


def check_tenant_templates(templates: TenantTemplates) -> Iterator[Verdict]:
    refused = [*filter(None, map(_verdict, templates.asked)), *_too_large(templates.sizes)]
    yield from refused
    if not refused:
        tenants, asked = len(templates.sizes), len(templates.asked)
        of_all = f"{asked} of {templates.shapes} kinds" if asked < templates.shapes else "one of each kind"
        yield ok(f"CloudFormation accepts the templates of {tenants} tenants, {of_all} asked; all fit into its limits")


def _verdict(validated: Validated) -> Verdict | None:
    fix = "report it, with this sentence: the template is made by this program"
    if validated.refusal:
        return problem(f"CloudFormation refuses the template of {validated.about}: {validated.refusal}", fix=fix)
    if more := sorted({*validated.capabilities} - _GRANTED):
        return problem(f"the template of {validated.about} needs {', '.join(more)}", "that is never granted", fix)
    return None


def _too_large(sizes: Mapping[str, tuple[int, int, int]]) -> Iterator[Verdict]:
    limits = ((MAX_TEMPLATE_BYTES, "bytes"), (MAX_RESOURCES, "resources"), (MAX_OUTPUTS, "outputs"))
    for tenant, size in sizes.items():
        for has, (limit, unit) in zip(size, limits, strict=True):
            if has > limit:
                found = f"the template of tenant {tenant} has {has:,} {unit}"
                fix = "divide it into two tenants, with shared_with for what both use"
                yield problem(found, f"CloudFormation takes {limit:,}", fix)


def sizes_of(templates: Mapping[str, Template]) -> dict[str, tuple[int, int, int]]:
    """Bytes, resources and outputs of each."""
    return {
        name: (each.size_bytes(), len(each.resources), len(each.body.get("Outputs", {})))
        for name, each in templates.items()
    }


def templates_of(configuration: Configuration, cluster: Cluster) -> dict[str, Template]:
    """What would be deployed for each tenant."""
    return {tenant.name: template(cluster, tenant) for tenant in configuration.tenants}


def one_of_each_shape(templates: Mapping[str, Template]) -> dict[str, Template]:
    """The first tenant of each set whose templates have the same parts: types of resources, with their properties."""
    first: dict[Any, str] = {}
    for name, each in templates.items():
        first.setdefault(_shape(each), name)
    return {name: templates[name] for name in first.values()}


def _shape(each: Template) -> frozenset[tuple[Any, ...]]:
    parts = {(body["Type"], *sorted(body["Properties"])) for body in each.resources.values()}
    return frozenset(parts)


def validated(templates: Mapping[str, Template], validate: Callable[[str, str], Validated]) -> TenantTemplates:
    """CloudFormation's word on one template of each shape, at most MOST_ASKED. validate: whose, its text → its word."""
    shapes = one_of_each_shape(templates)
    asked: Sequence[Validated] = [validate(f"tenant {name}", each.text()) for name, each in _fitting(shapes)]
    return TenantTemplates(tuple(asked), sizes_of(templates), len(shapes))


def _fitting(shapes: Mapping[str, Template]) -> Iterable[tuple[str, Template]]:
    """Those that are not too large to be asked about."""
    fitting = [(name, each) for name, each in shapes.items() if each.size_bytes() <= MAX_TEMPLATE_BYTES]
    return fitting[:MOST_ASKED]
