"""Small faults that a programmer could make, one at a time: what a suite that looks will notice.

A mutant is one module of the gateway with one of them. Annotations, docstrings and decorators are left as they are: they
decide nothing. Positions count the mutations of a module in the order of its source, so that a position names the same
fault as long as the module is the same.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one fault: the line of the fault, what stood there, and what stands there now."""

    line: int
    was: str
    now: str
    source: str


def count(source: str) -> int:
    """How many mutants a module has."""
    return sum(1 for _ in _faults(ast.parse(source)))


def mutant(source: str, position: int) -> Mutant:
    """The mutant of a module at a position, from 0; IndexError behind the last."""
    tree = ast.parse(source)
    for at, (parent, field, index, node, changed) in enumerate(_faults(tree)):
        if at == position:
            if index is None:
                setattr(parent, field, changed)
            else:
                getattr(parent, field)[index] = changed
            ast.fix_missing_locations(tree)
            line = getattr(node, "lineno", 0)
            return Mutant(line, ast.unparse(node), ast.unparse(changed), ast.unparse(tree))
    raise IndexError(position)


_Fault = tuple[ast.AST, str, int | None, ast.AST, ast.AST]


def _faults(tree: ast.AST) -> Iterator[_Fault]:
    """(parent, field, index within the field, node, the node that takes its place) of every mutation below."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, node in children:
            if not isinstance(node, ast.AST) or _is_docstring(node):
                continue
            for changed in _changed(node):
                yield tree, field, index, node, changed
            # The parts of an f-string are no expressions of their own, and an alias decides nothing.
            if not isinstance(node, ast.JoinedStr | ast.alias | ast.Import | ast.ImportFrom):
                yield from _faults(node)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _changed(node: ast.AST) -> Iterator[ast.AST]:
    """What may take the place of `node`."""
    match node:
        case ast.Compare(ops=[operator, *_]) if type(operator) in _COMPARISONS:
            changed = copy.deepcopy(node)
            changed.ops[0] = _COMPARISONS[type(operator)]()
            yield changed
        case ast.BoolOp():
            changed_bool = copy.deepcopy(node)
            changed_bool.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield changed_bool
        case ast.UnaryOp(op=ast.Not()):
            yield copy.deepcopy(node.operand)
        case ast.BinOp() if type(node.op) in _ARITHMETIC:
            changed_sum = copy.deepcopy(node)
            changed_sum.op = _ARITHMETIC[type(node.op)]()
            yield changed_sum
        case ast.Constant(value=bool() as truth):
            yield ast.Constant(not truth)
        case ast.Constant(value=int() as number):
            yield ast.Constant(number + 1)
        case ast.Constant(value=str() as text):
            yield ast.Constant(f"{text}?")
        case ast.Return(value=ast.expr()) if not _is_none(node.value):
            yield ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.AugAssign():
            yield ast.Pass()
        case ast.IfExp() | ast.If() if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            changed_if = copy.deepcopy(node)
            changed_if.test = ast.UnaryOp(ast.Not(), changed_if.test)
            yield changed_if
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()
        case _:
            return


def _is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
