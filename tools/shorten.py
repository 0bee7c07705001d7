"""Shorter names for the code of one file, which then packs into a tenth less.

    shorten("def said(name, *, end=''): return name + end\\ndef main(event): return said(event, end='.')", ["main"])
    "def A(z, y=''): …", {"A": "said"}      the code, and what its functions and constants are called in the modules

Renamed are functions and constants (a capital letter first), within a function what is its own (small letters), and of
classes what members.py is sure of. All else keeps its name: what the caller names, errors, imports, and parameters that
are named by calls which cannot be followed. A constant that is used once stands where it is used. The
same code has the same names on any machine.
"""

from __future__ import annotations

import ast
import builtins
import keyword
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, product
from string import ascii_lowercase, ascii_uppercase, digits
from typing import NamedTuple

from tools.flatten import CannotBundle
from tools.members import with_short_members

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
# They bind names in ways that nobody needs here.
_UNKNOWN = (ast.AsyncFunctionDef, ast.Global, ast.Nonlocal, ast.MatchAs, ast.MatchStar, ast.MatchMapping)
_BY_TEXT = frozenset({"eval", "exec", "globals", "locals", "vars"})  # find names that they have as text


class _Calls(NamedTuple):
    """What is known of calls. named: parameters that any call names. keep: functions that are called from elsewhere.

    followed: functions that are only called, by a name that means nothing else: who names their parameters is known.
    """

    named: Collection[str]
    keep: Collection[str]
    followed: Collection[str]


def shorten(code: str, keep: Collection[str]) -> tuple[str, Mapping[str, str]]:
    """The same code as ast.unparse writes it, under shorter names; and new → old name of what is no function's own.

    keep: functions that are called from elsewhere. Raises CannotBundle.
    """
    tree = ast.parse(code)
    _refuse_unknown(tree)
    tree = _Inline(_used_once(tree, keep)).visit(tree)
    calls = _calls(tree, keep)
    parameters: dict[str, Mapping[str, str]] = {}
    for unit in _units(tree):
        names = _local_names(unit, calls)
        for node in ast.walk(unit):
            if node is not unit:
                _rename(node, names)
        if isinstance(unit, ast.FunctionDef) and unit.name in calls.followed:
            parameters[unit.name] = names
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            for passed in node.keywords:
                passed.arg = parameters.get(node.func.id, {}).get(passed.arg or "", passed.arg)
    names = _global_names(tree, keep)
    for statement in tree.body:
        for node in (statement, *(node for node in ast.walk(statement) if isinstance(node, ast.Name))):
            _rename(node, names)
    members = with_short_members(tree)
    return ast.unparse(tree), {**{new: old for old, new in names.items()}, **members}


def _refuse_unknown(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        within = isinstance(node, ast.ClassDef) and node not in tree.body
        if within or isinstance(node, _UNKNOWN) or (isinstance(node, ast.Name) and node.id in _BY_TEXT):
            raise CannotBundle(f"names cannot be shortened beside `{ast.unparse(node)}`")


def _used_once(tree: ast.Module, keep: Collection[str]) -> Mapping[str, ast.expr]:
    """The literals that have a name and are used once, outside of any text that is put together."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    loads, stores = (Counter(it.id for it in names if isinstance(it.ctx, kind)) for kind in (ast.Load, ast.Store))
    other = {*keep, *_other_meanings(tree)}
    for text in (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)):
        other |= {node.id for node in ast.walk(text) if isinstance(node, ast.Name)}
    named = {
        target.id: statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and isinstance(target := statement.targets[0], ast.Name)
    }
    literal = (ast.Constant, ast.Tuple, ast.Load)
    return {
        name: value
        for name, value in named.items()
        if (loads[name], stores[name]) == (1, 1)
        and name not in other
        and all(isinstance(node, literal) for node in ast.walk(value))
    }


class _Inline(ast.NodeTransformer):
    """Puts expressions in the place of their names, and leaves out the statements that gave them the names."""

    def __init__(self, named: Mapping[str, ast.expr]) -> None:
        self.named = named

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        target = node.targets[0]
        return None if isinstance(target, ast.Name) and target.id in self.named else self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.named.get(node.id, node)

    def visit_Tuple(self, node: ast.Tuple) -> ast.AST:
        """A tuple that is put together of others, as long ones are in the modules, is one."""
        self.generic_visit(node)
        node.elts = [*chain.from_iterable(_flat(element) for element in node.elts)]
        return node


def _flat(element: ast.expr) -> list[ast.expr]:
    match element:
        case ast.Starred(value=ast.Tuple(elts=elements)):
            return elements
    return [element]


def _units(tree: ast.Module) -> Iterator[ast.stmt]:
    """Each is renamed as a whole, so that a name means one thing in it."""
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            yield from (node for node in statement.body if isinstance(node, ast.FunctionDef))
        elif isinstance(statement, ast.FunctionDef | ast.Assign):
            yield statement


def _calls(tree: ast.Module, keep: Collection[str]) -> _Calls:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = {passed.arg for call in calls for passed in call.keywords if passed.arg}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    called = Counter(call.func.id for call in calls if isinstance(call.func, ast.Name))
    read = Counter(node.id for node in names)
    followed = {statement.name for statement in tree.body if isinstance(statement, ast.FunctionDef)}
    followed -= {ast.unparse(call.func) for call in calls for passed in call.keywords if not passed.arg}
    followed -= {*keep, *_other_meanings(tree), *(node.id for node in names if isinstance(node.ctx, ast.Store))}
    return _Calls(named, keep, {name for name in followed if called[name] == read[name]})


def _local_names(unit: ast.stmt, calls: _Calls) -> Mapping[str, str]:
    """Old name → new name of what belongs to the unit: z, y, … in the order in which they come."""
    bound: set[str] = set()
    kept: set[str] = set()
    _resolve([unit], frozenset(), bound, kept)
    kept |= {*_kept(unit, calls)}
    in_order = (node.id if isinstance(node, ast.Name) else node.arg for node in _in_order(unit))
    own = dict.fromkeys(name for name in in_order if name in bound - kept)
    return dict(zip(own, _new_names(ascii_lowercase[::-1], ascii_lowercase, kept | (bound - own.keys())), strict=False))


def _kept(unit: ast.stmt, calls: _Calls) -> Iterator[str]:
    """What the unit imports, and the parameters that somebody names in a call that cannot be followed."""
    name = unit.name if isinstance(unit, ast.FunctionDef) else ""
    parameters = _parameters(unit)
    for node in ast.walk(unit):
        if isinstance(node, ast.alias):
            yield node.asname or node.name
        elif isinstance(node, ast.arg):
            may_be_named, is_its_own = node.arg in calls.named, node in parameters
            if is_its_own:
                may_be_named = name in calls.keep or (may_be_named and name not in calls.followed)
            if may_be_named:
                yield node.arg


def _resolve(nodes: Iterable[ast.AST], visible: frozenset[str], bound: set[str], elsewhere: set[str]) -> None:
    """Adds names of the functions around and within these nodes to `bound`, all others that they use to `elsewhere`."""
    for node in _own(nodes):
        if isinstance(node, ast.Name):
            (bound if node.id in visible else elsewhere).add(node.id)
        elif (within := _within(node)) is not None:
            new = {argument.arg for argument in _parameters(node)} | {*_bindings(within)}
            if isinstance(node, Comprehension):
                new = {
                    name.id for part in node.generators for name in ast.walk(part.target) if isinstance(name, ast.Name)
                }
            bound |= new
            _resolve(within, visible | new, bound, elsewhere)


def _within(node: ast.AST) -> list[ast.AST] | None:
    """The parts of a node that are a scope of their own."""
    match node:
        case ast.FunctionDef(body=body):
            return [*body]
        case ast.Lambda(body=expression):
            return [expression]
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            first = node.generators[0].iter
            parts = (part for generator in node.generators for part in ast.iter_child_nodes(generator))
            told = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
            return [*told, *(part for part in parts if part is not first)]
        case _:
            return None


def _own(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes of the same scope; of another within it, what is evaluated here, as a default is."""
    for node in nodes:
        yield node
        within = _within(node)
        if within is None:
            yield from _own(ast.iter_child_nodes(node))
        elif isinstance(node, Comprehension):
            yield from _own([node.generators[0].iter])
        elif isinstance(node, ast.FunctionDef | ast.Lambda):
            outside = [*node.args.defaults, *(default for default in node.args.kw_defaults if default)]
            yield from _own([*outside, *getattr(node, "decorator_list", ())])


def _bindings(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """What statements of a function's own make a name of its."""
    for node in _own(nodes):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.ExceptHandler(name=str(name)) | ast.FunctionDef(name=name):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():  # in it, := binds outside
                yield from (part.target.id for part in ast.walk(node) if isinstance(part, ast.NamedExpr))


def _parameters(node: ast.AST) -> list[ast.arg]:
    if not isinstance(node, ast.FunctionDef | ast.Lambda):
        return []
    every = (*node.args.posonlyargs, *node.args.args, node.args.vararg, *node.args.kwonlyargs, node.args.kwarg)
    return [argument for argument in every if argument]


def _in_order(node: ast.AST) -> Iterator[ast.Name | ast.arg]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Name | ast.arg):
            yield child
        yield from _in_order(child)


def _global_names(tree: ast.Module, keep: Collection[str]) -> Mapping[str, str]:
    """Old name → new name of functions and constants; the shortest for the one that is used most."""
    used = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    other = {*_other_meanings(tree)}
    in_order = sorted({*_bindings(tree.body)} - {*keep} - other, key=lambda name: (-used[name], name))
    return dict(zip(in_order, _new_names(ascii_uppercase, digits + ascii_lowercase, {*used} | other), strict=False))


def _other_meanings(tree: ast.Module) -> Iterator[str]:
    """Names that something else than a function or a constant of the file has, too."""
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name
            case ast.ClassDef(name=name, body=body):
                yield name
                yield from _bindings(body)
            case ast.FunctionDef(name=name) if node not in tree.body:
                yield name


def _new_names(first: str, then: str, taken: Collection[str]) -> Iterator[str]:
    """Names of one and two characters that mean nothing yet."""
    every = chain(first, map("".join, product(first, then)))
    return (name for name in every if name not in taken and not keyword.iskeyword(name) and not hasattr(builtins, name))


def _rename(node: ast.AST, names: Mapping[str, str]) -> None:
    match node:
        case ast.Name():
            node.id = names.get(node.id, node.id)
        case ast.arg():
            node.arg = names.get(node.arg, node.arg)
        case ast.FunctionDef() | ast.ExceptHandler(name=str()):
            node.name = names.get(node.name or "", node.name)
