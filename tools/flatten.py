"""Modules of aurora_tenants as the text of one file: only what the handlers need, without what only people need.

    flatten({"rotation": "aurora_tenants.lambdas.rotation"}, source)      "import json, …\\ndef rotation(event, …):…"

Everything ends up in one namespace: the `handler` of each module under the name that the caller gives it, and a private
name that two modules define with the module's name in front. A public name that is defined twice is refused, and so is
one that would hide a Python builtin. Imports from aurora_tenants read `from aurora_tenants.x import names`, and
a module consists of imports, functions, classes and assignments to one name; anything else is refused.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

ROOT = "aurora_tenants"
HANDLER = "handler"
LEFT_OUT = "for_people"  # what is called so is a text of plans
_MEANINGFUL = frozenset({"ClassVar", "InitVar", "KW_ONLY"})


class CannotBundle(Exception):
    """A module cannot become part of a bundle; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Module:
    """One module, stripped. ours: imported name → the module of aurora_tenants that defines it.

    imports: imported name → the statement that imports it from elsewhere.
    """

    name: str
    definitions: Mapping[str, ast.stmt]
    ours: Mapping[str, str]
    imports: Mapping[str, str]


def flatten(entries: Mapping[str, str], source: Callable[[str], str]) -> str:
    """The code of one file that defines each of these names as the `handler` of its module.

    source: returns a module's text by its name. The same modules result in the same text. Raises CannotBundle.
    """
    modules: dict[str, Module] = {}
    for entry in entries.values():
        _load(entry, source, modules)
    reached = _reached(modules, entries.values())
    imports = _imports(modules, reached)
    definitions = _definitions(modules, reached, imports, {entry: name for name, entry in entries.items()})
    return "\n".join(_import_lines(imports.values())) + "".join(f"\n\n{text}\n" for text in definitions)


def _load(name: str, source: Callable[[str], str], modules: dict[str, Module]) -> None:
    """Adds a module after those it imports from, so that a definition never comes before what it needs."""
    if name in modules:
        return
    module = _module(name, source(name))
    for needed in dict.fromkeys(module.ours.values()):
        _load(needed, source, modules)
    modules[name] = module


def _module(name: str, text: str) -> Module:
    definitions: dict[str, ast.stmt] = {}
    ours: dict[str, str] = {}
    imports: dict[str, str] = {}
    tree = _Strip().visit(ast.parse(text))
    for statement in tree.body:
        match statement:
            case ast.ImportFrom(module="__future__"):
                pass
            case ast.ImportFrom(module=str(origin), names=names, level=0) if origin.partition(".")[0] == ROOT:
                if any(alias.asname or alias.name == "*" for alias in names):
                    raise CannotBundle(f"{name} imports from {origin} under another name")
                ours |= {alias.name: origin for alias in names}
            case ast.Import(names=names) | ast.ImportFrom(names=names, level=0):
                imports |= _imported(name, statement, names)
            case ast.FunctionDef(name=defined) | ast.ClassDef(name=defined):
                definitions[defined] = statement
            case ast.Assign(targets=[ast.Name(id=defined)]):
                definitions[defined] = statement
            case _:
                raise CannotBundle(f"{name}, line {statement.lineno}: only imports and definitions can be bundled")
    return Module(name, definitions, ours, imports)


def _imported(module: str, statement: ast.Import | ast.ImportFrom, names: Iterable[ast.alias]) -> dict[str, str]:
    """The names that an import from elsewhere binds, each with a statement that binds it alone."""
    if any(alias.name.partition(".")[0] == ROOT for alias in names) and isinstance(statement, ast.Import):
        raise CannotBundle(f"{module}, line {statement.lineno}: write `from {ROOT}.x import name`")
    start = f"from {statement.module} " if isinstance(statement, ast.ImportFrom) else ""
    return {alias.asname or alias.name.partition(".")[0]: f"{start}import {ast.unparse(alias)}" for alias in names}


def _reached(modules: Mapping[str, Module], entries: Iterable[str]) -> set[tuple[str, str]]:
    """(module, name) of every definition and import that the handlers need, themselves included."""
    reached: set[tuple[str, str]] = set()
    open_ends = [(entry, HANDLER) for entry in entries]
    for entry, _ in open_ends:
        if HANDLER not in modules[entry].definitions:
            raise CannotBundle(f"{entry} defines no {HANDLER}")
    while open_ends:
        owner, name = open_ends.pop()
        module = modules[owner]
        if (owner, name) in reached:
            continue
        if name in module.ours:
            if name not in modules[module.ours[name]].definitions:
                raise CannotBundle(f"{owner} imports {name} from {module.ours[name]}, which does not define it")
            open_ends.append((module.ours[name], name))
        elif name in module.definitions or name in module.imports:
            reached.add((owner, name))
            definition = module.definitions.get(name)
            nodes = ast.walk(definition) if definition else ()
            open_ends += [(owner, node.id) for node in nodes if isinstance(node, ast.Name)]
    return reached


def _imports(modules: Mapping[str, Module], reached: set[tuple[str, str]]) -> dict[str, str]:
    """The imports that are needed, by the name they bind."""
    imports: dict[str, str] = {}
    for owner, name in sorted(reached):
        statement = modules[owner].imports.get(name)
        if statement and imports.setdefault(name, statement) != statement:
            raise CannotBundle(f"{name} means `{imports[name]}` in one module and `{statement}` in {owner}")
    return imports


def _import_lines(statements: Iterable[str]) -> Iterator[str]:
    """One line for each module that names are imported from, and one for all modules that are imported whole."""
    for start, group in groupby(sorted(statements), key=lambda statement: statement.rpartition("import ")[0]):
        yield f"{start}import {', '.join(statement.rpartition('import ')[2] for statement in group)}"


def _definitions(
    modules: Mapping[str, Module],
    reached: set[tuple[str, str]],
    imports: Mapping[str, str],
    names: Mapping[str, str],
) -> Iterator[str]:
    """The text of every definition that is needed, each after those it needs. names: of handlers, by module."""
    taken: set[str] = {*imports, *names.values()}
    for module in modules.values():
        needed = [name for name in module.definitions if (module.name, name) in reached]
        prefix = f"_{module.name.rpartition('.')[2]}"
        renamed = {name: prefix + name for name in needed if name.startswith("_") and name in taken}
        if module.name in names:
            renamed[HANDLER] = names[module.name]
        for name in needed:
            if name in taken and name not in renamed:
                raise CannotBundle(f"{name}, defined in {module.name}, is also defined or imported by another module")
            if hasattr(builtins, name):
                raise CannotBundle(f"{name}, defined in {module.name}, would hide Python's own {name} everywhere")
            yield ast.unparse(ast.fix_missing_locations(_Rename(renamed).visit(module.definitions[name])))
        taken |= {renamed.get(name, name) for name in needed}


class _Rename(ast.NodeTransformer):
    """Renames definitions of one module, wherever the module uses their names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Name(self.names.get(node.id, node.id), node.ctx), node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
        node.name = self.names.get(node.name, node.name)
        return self.generic_visit(node)

    visit_ClassDef = visit_FunctionDef

    def visit_arg(self, node: ast.arg) -> ast.AST:
        if node.arg in self.names:
            raise CannotBundle(f"line {node.lineno}: the parameter {node.arg} has the name of something in its module")
        return node


class _Strip(ast.NodeTransformer):
    """Removes docstrings and annotations; fields of a class keep one, because it makes them fields. Of texts that no
    function shows, nothing is left but an empty one.
    """

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        body: list[ast.stmt] = []
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign):
                statement.annotation = _shortened(statement.annotation)
                body.append(statement)
            elif (stripped := self.visit(statement)) is not None:
                body.append(stripped)
        node.body = body or [ast.Pass()]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return self.generic_visit(ast.copy_location(ast.Assign([node.target], node.value), node))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        is_left_out = isinstance(node.func, ast.Name) and node.func.id == LEFT_OUT
        return ast.copy_location(ast.Constant(""), node) if is_left_out else self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)


def _shortened(annotation: ast.expr) -> ast.expr:
    """A field's annotation as a name that always exists; to dataclass and NamedTuple it makes no difference."""
    names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    if names & _MEANINGFUL:
        raise CannotBundle(f"line {annotation.lineno}: {ast.unparse(annotation)} means something to dataclass")
    return ast.copy_location(ast.Name("str", ast.Load()), annotation)
