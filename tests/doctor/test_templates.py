from __future__ import annotations

from dataclasses import replace

from aurora_tenants.doctor.names import check_names
from aurora_tenants.doctor.templates import (
    MOST_ASKED,
    FileFacts,
    TenantTemplates,
    Validated,
    check_file,
    check_shared_template,
    check_tenant_templates,
    one_of_each_shape,
    sizes_of,
    templates_of,
    validated,
)
from aurora_tenants.errors import Problem
from aurora_tenants.model import Configuration, Tenant
from tests.values import CLUSTER, SHOP, tenant


def accept(about: str, body: str) -> Validated:
    return Validated(about)


def held(*tenants: Tenant) -> TenantTemplates:
    return validated(templates_of(Configuration(CLUSTER, tenants), CLUSTER), accept)


def of_shape(number: int) -> Tenant:
    """Tenants of different numbers of this have different kinds of properties."""
    names = ("charset", "collation", "adopt", "on_remove")
    values = ("utf8mb4", "utf8mb4_bin", True, "drop")
    chosen = {name: value for bit, (name, value) in enumerate(zip(names, values, strict=True)) if number >> bit & 1}
    it = tenant(f"t{number}")
    return replace(it, databases=(replace(it.databases[0], **chosen),))


def test_one_template_of_each_shape_is_asked_about():
    tenants = [tenant(f"shop-{n}") for n in range(50)] + [Tenant("empty"), tenant("x", adopt=True)]
    templates = templates_of(Configuration(CLUSTER, tuple(tenants)), CLUSTER)
    assert [*one_of_each_shape(templates)] == ["shop-0", "empty", "x"]
    (verdict,) = check_tenant_templates(held(*tenants))
    assert verdict.found == (
        "CloudFormation accepts the templates of 52 tenants, one of each kind asked; all fit into its limits"
    )


def test_no_more_than_ten_are_asked_about_and_that_is_said():
    found = held(*map(of_shape, range(16)))
    assert (len(found.asked), found.shapes) == (MOST_ASKED, 16)
    (verdict,) = check_tenant_templates(found)
    assert "of 16 tenants, 10 of 16 kinds asked" in verdict.found


def test_a_template_that_is_refused_is_a_problem():
    found = TenantTemplates((Validated("tenant shop", "Template error"), Validated("tenant x")), {}, 2)
    (verdict,) = check_tenant_templates(found)
    assert (verdict.result, verdict.found, bool(verdict.fix)) == (
        "problem",
        "CloudFormation refuses the template of tenant shop: Template error",
        True,
    )


def test_a_capability_that_is_never_granted_is_a_problem():
    (fine,) = check_shared_template(Validated("the shared stack", capabilities=("CAPABILITY_IAM",)))
    (more,) = check_shared_template(Validated("the shared stack", capabilities=("CAPABILITY_AUTO_EXPAND",)))
    assert (fine.result, more.result) == ("ok", "problem")


def test_a_template_that_is_too_large_is_a_problem_and_is_not_sent():
    large = replace(SHOP, databases=tuple(tenant(f"a-long-name-of-a-database-{n}").databases[0] for n in range(400)))
    asked = list[str]()

    def validate(about: str, body: str) -> Validated:
        asked.append(about)
        return Validated(about)

    templates = templates_of(Configuration(CLUSTER, (large,)), CLUSTER)
    found = [*check_tenant_templates(validated(templates, validate))]
    size, resources, outputs = sizes_of(templates)["shop"]
    assert (size > 51_200, resources, outputs, asked) == (True, 404, 402, [])
    assert [each.found.split()[-1] for each in found] == ["bytes", "outputs"]
    assert all(each.result == "problem" and each.fix for each in found)


def test_an_invalid_file_is_one_line_with_the_count():
    problems = (Problem("unknown-key", "unknown key ownr"), Problem("other", "other"))
    (verdict,) = check_file(FileFacts("t.yaml", None, problems))
    assert verdict.found == "t.yaml has 2 problems; the first: unknown key ownr"
    (valid,) = check_file(FileFacts("t.yaml", Configuration(CLUSTER, (SHOP,))))
    assert valid.found == "t.yaml is valid: 1 tenant"


def test_a_stack_is_named_so_that_all_names_fit():
    results = [next(check_names(name)).result for name in ("s" * 39, "s" * 40, "1st", "a b", "")]
    assert results == ["ok", "problem", "problem", "problem", "problem"]
