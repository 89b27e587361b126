"""PromQL that an author wrote, with values filled in and the Connection's matchers forced into it.

A value can never change the query, and a query can never leave the Connection's matchers. So text is not pasted
together: the string literals are taken out first, what is left is parsed and written back by the parser, the matchers
are put into every selector, and only then do the literals come back, filled and quoted anew.

    sum(rate(x{version="$(version)"}[$(window)]))      as written
    sum(rate(x{version="s0"}[90s]))                    without its literals: parsed
    sum(rate(x{version="s0"}[1m30s]))                  as the parser writes it; must parse to the same again
    sum(rate(x{namespace="production",version="v1.2.3"}[1m30s]))

Everything here raises `tidegate.errors.Invalid`, with a sentence for the author.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import promql_parser as promql

from tidegate.api.grammar import PLACEHOLDERS, expand
from tidegate.api.guard import Guard
from tidegate.errors import Invalid

Pairs = tuple[tuple[str, str], ...]

_LITERAL_OR_COMMENT: Final = re.compile(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`|#[^\n]*""")
_TOKEN: Final = re.compile(r'"s([0-9]+)"')
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_REGEX_SPECIAL: Final = re.compile(r"([\\.+*?()|\[\]{}^$])")  # what Go's regexp.QuoteMeta escapes
_QUOTED: Final = re.compile(r'["\\\x00-\x1f\x7f]')


@dataclass(frozen=True, slots=True)
class Expression:
    """A whole query, and the selectors in it, so that one can ask how fresh its samples are."""

    text: str
    selectors: tuple[str, ...]


def counter(text: str, values: Mapping[str, str], matchers: Mapping[str, str]) -> str:
    """The selector of a counter, filled in; a range in brackets may follow."""
    return _selector(text, _pairs(values), _pairs(matchers), "")


def buckets(text: str, values: Mapping[str, str], matchers: Mapping[str, str]) -> str:
    """The selector of the `_bucket` series of a classic histogram, filled in; a range in brackets may follow."""
    return _selector(text, _pairs(values), _pairs(matchers), "_bucket")


def expression(text: str, values: Mapping[str, str], matchers: Mapping[str, str], window: float) -> Expression:
    """Any query, filled in; `window` are the seconds for `$(window)`, rounded up."""
    return _Query(text, values, matchers, window).written()


def faults(guard: Guard) -> tuple[str, ...]:
    """What is wrong with the guard's queries whatever their values will be, a sentence each."""
    values = dict.fromkeys(PLACEHOLDERS, "x")
    found = []
    for text in guard.texts:
        try:
            if guard.value is not None:
                expression(text, values, {}, 60.0)
            elif guard.quantile is not None:
                buckets(text, values, {})
            else:
                counter(text, values, {})
        except Invalid as fault:
            found.append(fault.message)
    return tuple(found)


def quote(value: str) -> str:
    """The value as a string literal."""
    return '"' + _QUOTED.sub(_escape, value) + '"'


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}" if match[0] not in '"\\' else "\\" + match[0]


def _pairs(mapping: Mapping[str, str]) -> Pairs:
    return tuple(sorted(mapping.items()))


@lru_cache(maxsize=4096)
def _selector(text: str, values: Pairs, matchers: Pairs, suffix: str) -> str:
    return _Query(text, dict(values), dict(matchers), None).selector(suffix)


class _Query:
    """One query on its way. `window` is None where a single selector is wanted."""

    def __init__(self, text: str, values: Mapping[str, str], matchers: Mapping[str, str], window: float | None) -> None:
        self._text = text
        self._values = values if window is None else {**values, "window": _seconds(window)}
        self._matchers = matchers
        self._literals: list[str] = []
        skeleton = _LITERAL_OR_COMMENT.sub(self._take, text)
        if window is not None:
            skeleton = skeleton.replace("$(window)", _seconds(window))
        self._refuse_leftovers(skeleton)
        tree = self._parse(skeleton)
        self._skeleton = str(tree)
        if repr(self._parse(self._skeleton)) != repr(tree):
            raise self._refused(
                "holds something that can't be written back exactly; write its durations in whole seconds"
            )
        self._tree = tree
        self._selectors = _vector_selectors(tree)
        self._plain = [self._value_of(literal) for literal in self._literals]
        self._strings = self._filled()

    def _take(self, match: re.Match[str]) -> str:
        if match[0].startswith("#"):
            return " "
        self._literals.append(match[0])
        return f'"s{len(self._literals) - 1}"'

    def _refuse_leftovers(self, skeleton: str) -> None:
        left = _TOKEN.sub("", skeleton)
        if re.search("[\"'`]", left):
            raise self._refused("has a quote that is not closed")
        if "$" in left:
            raise self._refused('has a placeholder outside quotes; write it as in version="$(version)"')

    def _parse(self, text: str) -> promql.Expr:
        try:
            return promql.parse(text)
        except ValueError as error:
            raise self._refused(f"is not PromQL ({error})") from None

    def _value_of(self, literal: str) -> str:
        parsed = self._parse(literal)
        assert isinstance(parsed, promql.StringLiteral)
        return parsed.val

    def _filled(self) -> list[str]:
        """The value of each literal, with placeholders filled in; regular expressions get values quoted for them."""
        regexes = set()
        for selector in self._selectors:
            if selector.matchers.or_matchers:
                raise self._refused('has an "or" inside braces, which Prometheus does not know; write it with =~')
            for matcher in selector.matchers.matchers:
                if not _LABEL.fullmatch(matcher.name):
                    raise self._refused(f"has the label {matcher.name!r}; write labels of letters, digits and _")
                if matcher.op in (promql.MatchOp.Re, promql.MatchOp.NotRe):
                    regexes.add(matcher.value)
        return [self._fill(plain, f"s{number}" in regexes) for number, plain in enumerate(self._plain)]

    def _fill(self, plain: str, regex: bool) -> str:
        values = self._values
        if regex:
            values = {name: _REGEX_SPECIAL.sub(r"\\\1", value) for name, value in values.items()}
        try:
            return expand(plain, values)
        except ValueError as error:
            raise self._refused(f"can't be filled in: {error}") from None

    def written(self) -> Expression:
        """The query as it is sent, and its selectors without ranges and offsets."""
        self._refuse_contradictions()
        text = self._return_literals(self._forced(self._skeleton))
        self._verify(text)
        return Expression(text, tuple(dict.fromkeys(self._selector_text(each, "") for each in self._selectors)))

    def selector(self, suffix: str) -> str:
        """The query as one selector, its name with the suffix."""
        tree = self._tree
        if not isinstance(tree, promql.VectorSelector) or tree.offset is not None or tree.at is not None:
            raise self._refused(
                'must be a selector alone, as in http_requests_total{version="$(version)"}: '
                "no rate(), no increase(), no range and no offset, since the raw samples are read"
            )
        self._refuse_contradictions()
        text = self._selector_text(tree, suffix)
        self._verify(text)
        return text

    def _selector_text(self, selector: promql.VectorSelector, suffix: str) -> str:
        """Name, braces, matchers: without an offset, which would tell of another time."""
        name, named = selector.name or "", bool(selector.name)
        matchers = []
        for matcher in selector.matchers.matchers:
            value = self._string_of(matcher)
            if matcher.name == "__name__" and suffix:
                if matcher.op != promql.MatchOp.Equal or named:
                    raise self._refused("must name one histogram, without a pattern")
                name, named = value, True
                value += suffix
            elif matcher.name == "le" and suffix:
                raise self._refused("must not ask for le: all buckets are read")
            matchers.append(f"{matcher.name}{_OPERATORS[str(matcher.op)]}{quote(value)}")
        if suffix:
            if not named:
                raise self._refused("must name a histogram, as in http_request_duration_seconds{…}")
            if name.endswith(suffix):
                raise self._refused(f"names the buckets; write the histogram's name without {suffix}")
        written = selector.name + suffix if selector.name else ""
        return self._forced(written + "{" + ",".join(matchers) + "}", quoted=True)

    def _string_of(self, matcher: promql.Matcher) -> str:
        token = _TOKEN.fullmatch(f'"{matcher.value}"')
        return self._strings[int(token[1])] if token else matcher.value

    def _forced(self, text: str, *, quoted: bool = False) -> str:
        """The text with the Connection's matchers in every pair of braces. Unless `quoted`, no literal is in it yet, so
        that a brace opens a selector and nothing else; a quoted text is a single selector, whose first brace does."""
        forced = ",".join(f"{label}={quote(value)}" for label, value in sorted(self._matchers.items()))
        if not forced:
            return text
        if not quoted:  # they come back with all other literals, lest a value be mistaken for a token
            forced = ",".join(f"{label}={self._keep(value)}" for label, value in sorted(self._matchers.items()))
        return re.sub(r"\{(\}?)", lambda match: "{" + forced + ("}" if match[1] else ","), text, count=int(quoted))

    def _keep(self, value: str) -> str:
        self._strings.append(value)
        return f'"s{len(self._strings) - 1}"'

    def _return_literals(self, text: str) -> str:
        return _TOKEN.sub(lambda match: quote(self._strings[int(match[1])]), text)

    def _refuse_contradictions(self) -> None:
        for selector in self._selectors:
            for matcher in selector.matchers.matchers:
                forced = self._matchers.get(matcher.name)
                if forced is None:
                    continue
                if matcher.op != promql.MatchOp.Equal or self._string_of(matcher) != forced:
                    raise self._refused(
                        f"asks for {matcher.name} by itself, and the Connection allows only "
                        f"{matcher.name}={quote(forced)}: leave that matcher out"
                    )

    def _verify(self, text: str) -> None:
        """What goes out must be PromQL (a filled regular expression might not be) and have every forced matcher."""
        for selector in _vector_selectors(self._parse(text)):
            has = {(each.name, each.value) for each in selector.matchers.matchers if each.op == promql.MatchOp.Equal}
            if not has.issuperset(self._matchers.items()):
                raise self._refused("could not be confined to what the Connection allows")

    def _refused(self, why: str) -> Invalid:
        shown = self._text if len(self._text) <= 120 else self._text[:119] + "…"
        return Invalid(f"the query {shown} {why}")


_OPERATORS: Final = {
    str(promql.MatchOp.Equal): "=",
    str(promql.MatchOp.NotEqual): "!=",
    str(promql.MatchOp.Re): "=~",
    str(promql.MatchOp.NotRe): "!~",
}


def _vector_selectors(tree: promql.Expr) -> list[promql.VectorSelector]:
    found: list[promql.VectorSelector] = []

    def visit(node: promql.Expr) -> bool:
        if isinstance(node, promql.VectorSelector):
            found.append(node)
        return True

    promql.walk(tree, visit)
    return found


def _seconds(window: float) -> str:
    return f"{max(1, math.ceil(window))}s"
