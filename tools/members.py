"""Shorter names for the classes of one file, and for their fields and methods.

    with_short_members(tree)      changes the tree; new → old name of what was renamed

Only what can mean nothing else is renamed. A class keeps its name if it is an error, which tracebacks show. A member
keeps its name if a text of the file is the same, if something of Python's or of an imported module has an attribute of
that name, and if a call names a parameter so that does not make one of these classes.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from string import ascii_lowercase, ascii_uppercase, digits

_OF_PYTHON = frozenset(name for kind in vars(builtins).values() if isinstance(kind, type) for name in dir(kind))
# Attributes of what the functions are given, or get from a library, without importing its class.
_OF_OTHERS = frozenset({"code", "group", "headers", "message", "name", "reason", "response", "status", "value"})
_SHOW_NAMES = frozenset({"_asdict", "asdict", "__dict__"})  # make texts of the names of all fields
_REPLACE = frozenset({"_replace", "replace"})  # name fields, as a class does that is called


def with_short_members(tree: ast.Module) -> Mapping[str, str]:
    """Renames them; new → old name. The same code has the same names on any machine."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    made = {name for name, node in classes.items() if "__init__" not in {*_methods(node)}}
    used = Counter(name for node in ast.walk(tree) for name in _names(node))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    taken = texts | _OF_PYTHON | _OF_OTHERS | {*_meant_otherwise(tree, made)}
    own = {name for node in classes.values() for name in (*_fields(node), *_methods(node))} - taken
    if used.keys() & _SHOW_NAMES:
        own = set()
    members = _shorter({name for name in own if len(name) > 2}, used, ascii_lowercase)
    plain = {name for name, node in classes.items() if {ast.unparse(base) for base in node.bases} <= {"NamedTuple"}}
    kinds = _shorter(plain - texts, used, ascii_uppercase[::-1])
    _Rename(kinds, members, made).visit(tree)
    return {new: old for old, new in (members | kinds).items()}


def _shorter(names: set[str], used: Mapping[str, int], letters: str) -> dict[str, str]:
    """Old → new name, which nothing has yet; the first for the one that is used most."""
    free = (f"{letter}{digit}" for letter, digit in product(letters, digits))
    in_order = sorted(names, key=lambda name: (-used[name], name))
    return dict(zip(in_order, (name for name in free if name not in used), strict=False))


def _names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.FunctionDef(name=name):
            yield name
        case ast.keyword(arg=str(name)):
            yield name


def _fields(node: ast.ClassDef) -> Iterator[str]:
    """Those that are declared, and those that methods set."""
    yield from (it.target.id for it in node.body if isinstance(it, ast.AnnAssign) and isinstance(it.target, ast.Name))
    stored = (it for it in ast.walk(node) if isinstance(it, ast.Attribute) and isinstance(it.ctx, ast.Store))
    yield from (it.attr for it in stored)


def _methods(node: ast.ClassDef) -> Iterator[str]:
    yield from (it.name for it in node.body if isinstance(it, ast.FunctionDef))


def _meant_otherwise(tree: ast.Module, made: set[str]) -> Iterator[str]:
    """What is set once for a whole class, the attributes of modules, and parameters that calls name."""
    modules = {it.asname or it.name for node in tree.body if isinstance(node, ast.Import) for it in node.names}
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(body=body):
                names = (it.targets[0] for it in body if isinstance(it, ast.Assign))
                yield from (it.id for it in names if isinstance(it, ast.Name))
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in modules:
                yield name
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id=module)), attr=name) if module in modules:
                yield name
            case ast.Call(keywords=passed) if not _makes_one(node, made):
                yield from (it.arg for it in passed if it.arg)


def _makes_one(call: ast.Call, made: set[str]) -> bool:
    """Whether what a call names are fields of one of the classes."""
    match call.func:
        case ast.Name(id=name):
            return name in made or name in _REPLACE
        case ast.Attribute(attr=name):
            return name in _REPLACE
    return False


class _Rename(ast.NodeTransformer):
    def __init__(self, kinds: Mapping[str, str], members: Mapping[str, str], made: set[str]) -> None:
        self.kinds, self.members, self.made = kinds, members, made

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.kinds.get(node.id, node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = self.members.get(node.attr, node.attr)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if _makes_one(node, self.made):
            for passed in node.keywords:
                passed.arg = self.members.get(passed.arg or "", passed.arg)
        return self.generic_visit(node)

    def visit_MatchClass(self, node: ast.MatchClass) -> ast.AST:
        node.kwd_attrs = [self.members.get(name, name) for name in node.kwd_attrs]
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        for it in node.body:
            if isinstance(it, ast.AnnAssign) and isinstance(it.target, ast.Name):
                it.target.id = self.members.get(it.target.id, it.target.id)
            elif isinstance(it, ast.FunctionDef):
                it.name = self.members.get(it.name, it.name)
        node.name = self.kinds.get(node.name, node.name)
        return self.generic_visit(node)
