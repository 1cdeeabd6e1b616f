"""What a change of a JSON Schema does to those who still use the old one.

Allowed: new optional fields, other words in titles and descriptions, other defaults.
Not allowed: whatever makes a new reader refuse an old writer's value (removed or tightened),
and whatever hands an old reader a value it never had to expect (widened, no longer required).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
"""A JSON Schema as Python's json gives it: names to anything."""

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EXACT = ("pattern", "const", "multipleOf", "uniqueItems")
_KNOWN = frozenset({
    *_LOWER, *_UPPER, *_EXACT, "$defs", "$id", "$ref", "$schema", "additionalProperties", "anyOf",
    "default", "description", "enum", "examples", "format", "items", "oneOf",
    "properties", "required", "title", "type",
})  # fmt: skip


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """One sentence for each change that breaks old writers or old readers; empty: compatible.

    Raises ValueError for a keyword this comparison does not know: silence would be a lie.
    """
    return list(_compare(old, new, old, new, "$"))


def _compare(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str
) -> Iterator[str]:
    before = {_kind(one): one for one in _alternatives(old, old_root)}
    after = {_kind(one): one for one in _alternatives(new, new_root)}
    for kind in before.keys() - after.keys():
        yield f"{at}: no longer takes {kind}"
    for kind in after.keys() - before.keys():
        yield f"{at}: old readers do not expect {kind}"
    for kind in sorted(before.keys() & after.keys()):
        path = f"{at}<{kind}>" if len(before) > 1 else at
        yield from _constraints(before[kind], after[kind], path)
        yield from _children(before[kind], after[kind], old_root, new_root, path)


def _alternatives(node: Schema, root: Schema) -> Iterator[Schema]:
    """The plain schemas that a node means, references and unions resolved."""
    unknown = sorted(node.keys() - _KNOWN)
    if unknown:
        raise ValueError(f"cannot compare JSON Schema keywords {unknown}")
    if "$ref" in node:
        target: Any = root
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        yield from _alternatives(target, root)
    elif "anyOf" in node or "oneOf" in node:
        for one in (*node.get("anyOf", ()), *node.get("oneOf", ())):
            yield from _alternatives(one, root)
    else:
        yield node


def _kind(node: Schema) -> str:
    """What tells the members of a union apart: type, format, and the tag of an event."""
    tag = node.get("properties", {}).get("type", {}).get("const")
    return " ".join(
        str(part) for part in (node.get("type", "any"), node.get("format"), tag) if part
    )


def _constraints(old: Schema, new: Schema, at: str) -> Iterator[str]:
    for keyword in (*_LOWER, *_UPPER, *_EXACT):
        if old.get(keyword) != new.get(keyword):
            yield f"{at}: {keyword} was {old.get(keyword)!r} and is {new.get(keyword)!r}"
    was, now = old.get("enum"), new.get("enum")
    if was is None or now is None:
        if was != now:
            yield f"{at}: the closed list of values {'came' if was is None else 'went'}"
        return
    for value in sorted(set(was) ^ set(now)):
        yield f"{at}: value {value!r} {'was removed' if value in was else 'is unexpected'}"


def _children(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str
) -> Iterator[str]:
    was, now = old.get("properties", {}), new.get("properties", {})
    for name in sorted(was.keys() - now.keys()):
        yield f"{at}.{name}: removed"
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield f"{at}.{name}: became required"
    for name in sorted(set(old.get("required", ())) - set(new.get("required", ()))):
        yield f"{at}.{name}: no longer required"
    for name in sorted(was.keys() & now.keys()):
        yield from _compare(was[name], now[name], old_root, new_root, f"{at}.{name}")
    for keyword in ("items", "additionalProperties"):
        before, after = old.get(keyword, True), new.get(keyword, True)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _compare(before, after, old_root, new_root, f"{at}[]")
        elif before != after:
            yield f"{at}: {keyword} changed"
