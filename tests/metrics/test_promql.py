"""No value changes a query, and no query leaves the Connection's matchers."""

from __future__ import annotations

import re

import promql_parser as promql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api import Guard
from tidegate.errors import Invalid
from tidegate.metrics.promql import buckets, counter, expression, faults

VALUES = {
    "version": "v1.2.3",
    "revision": "5d9f0c1e7b",
    "release": "shop",
    "component": "web",
    "service": "shop-web-5d9f0c1e7b",
}
MATCHERS = {"namespace": "production"}

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
hostile = st.one_of(
    any_text,
    st.sampled_from(['"', "\\", '"} or up{x="', "`", "'", '\\"', "s0", '"s1"', "$(version)", "{}", "\n", "#", "\x00"]),
    st.lists(st.sampled_from(['"', "\\", "{", "}", "`", "s0", "(", "$", "=~", ",", "\n"]), max_size=10).map("".join),
)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("up", 'up{namespace="production"}'),
        ("up{}", 'up{namespace="production"}'),
        ('r{version="$(version)"}', 'r{namespace="production",version="v1.2.3"}'),
        ("r{version='$(version)'}", 'r{namespace="production",version="v1.2.3"}'),
        ("r{version=`$(version)`}", 'r{namespace="production",version="v1.2.3"}'),
        ('r{pod=~"$(service)-.*"}', 'r{namespace="production",pod=~"shop-web-5d9f0c1e7b-.*"}'),
        ('r{version=~"$(version)|x"}', 'r{namespace="production",version=~"v1\\\\.2\\\\.3|x"}'),
        ('r{version!~"$(version)"}', 'r{namespace="production",version!~"v1\\\\.2\\\\.3"}'),
        ('r{a="$$(version)"}', 'r{namespace="production",a="$(version)"}'),
        ('{__name__="r",a="b"}', '{namespace="production",__name__="r",a="b"}'),
        ('r{namespace="production"}', 'r{namespace="production",namespace="production"}'),
        ('r{a="{b}"} # } or up{', 'r{namespace="production",a="{b}"}'),
    ],
)
def test_a_selector_is_filled_in_and_confined(written: str, sent: str) -> None:
    assert counter(written, VALUES, MATCHERS) == sent


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ('d{v="$(version)"}', 'd_bucket{namespace="production",v="v1.2.3"}'),
        ('{__name__="d",v="$(version)"}', '{namespace="production",__name__="d_bucket",v="v1.2.3"}'),
    ],
)
def test_the_buckets_of_a_histogram_are_named(written: str, sent: str) -> None:
    assert buckets(written, VALUES, MATCHERS) == sent


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (
            'sum(rate(r{v="$(version)"}[$(window)])) / sum(rate(r[5m]))',
            'sum(rate(r{namespace="production",v="v1.2.3"}[1m31s])) / sum(rate(r{namespace="production"}[5m]))',
        ),
        ("42", "42"),
        ("time() - max(t)", 'time() - max(t{namespace="production"})'),
        (
            'label_replace(r, "d", "$1{", "s", "(.*)}")',
            'label_replace(r{namespace="production"}, "d", "$1{", "s", "(.*)}")',
        ),
        (
            'a offset 1d + on (pod) group_left (x) b{c!="d"}',
            'a{namespace="production"} offset 1d + on (pod) group_left (x) b{namespace="production",c!="d"}',
        ),
    ],
)
def test_every_selector_of_an_expression_is_confined(written: str, sent: str) -> None:
    assert expression(written, VALUES, MATCHERS, 90.2).text == sent


def test_the_selectors_of_an_expression_are_told_without_ranges_and_offsets() -> None:
    told = expression('rate(r{v="$(version)"}[5m]) / (s offset 1h) / s', VALUES, MATCHERS, 60.0)
    assert told.selectors == ('r{namespace="production",v="v1.2.3"}', 's{namespace="production"}')


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("rate(r[5m])", "no rate(), no increase()"),
        ("r[5m]", "no rate(), no increase()"),
        ("r offset 5m", "no offset"),
        ("r + r", "a selector alone"),
        ("r{v=$(version)}", "a placeholder outside quotes"),
        ('r{v="$(segment)"}', "$(segment) is not a placeholder here"),
        ('r{v="x', "a quote that is not closed"),
        ('r{v="\\q"}', "is not PromQL"),
        ("r{v=~'('}", "is not PromQL"),
        ('r{namespace="other"}', 'the Connection allows only namespace="production"'),
        ('r{namespace=~"prod.*"}', 'the Connection allows only namespace="production"'),
        ('r{namespace!="production"}', 'the Connection allows only namespace="production"'),
        ("", "is not PromQL"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_write(written: str, why: str) -> None:
    with pytest.raises(Invalid) as refused:
        counter(written, VALUES, MATCHERS)
    assert why in refused.value.message


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("d_bucket", "without _bucket"),
        ('d{le="0.5"}', "must not ask for le"),
        ('{__name__=~"d.*"}', "must name one histogram"),
        ('{a="b"}', "must name a histogram"),
    ],
)
def test_a_histogram_is_named_without_its_buckets(written: str, why: str) -> None:
    with pytest.raises(Invalid) as refused:
        buckets(written, VALUES, {})
    assert why in refused.value.message


def test_what_the_parser_cannot_write_back_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        expression("rate(r[1500ms])", VALUES, {}, 60.0)
    assert "whole seconds" in refused.value.message


def selectors_of(tree: promql.Expr) -> list[promql.VectorSelector]:
    found: list[promql.VectorSelector] = []

    def visit(node: promql.Expr) -> bool:
        if isinstance(node, promql.VectorSelector):
            found.append(node)
        return True

    promql.walk(tree, visit)
    return found


def matchers_of(selector: str) -> list[promql.Matcher]:
    (only,) = selectors_of(promql.parse(selector))
    return list(only.matchers.matchers)


def literals_of(tree: promql.Expr) -> list[str]:
    return re.findall(r'\b(?:value|val): ("(?:[^"\\]|\\.)*")', repr(tree))


def without_literals(tree: promql.Expr) -> str:
    return re.sub(r'\b(value|val): "(?:[^"\\]|\\.)*"', r"\1: LITERAL", repr(tree))


@given(hostile, hostile)
def test_a_value_changes_nothing_of_the_tree_but_its_own_literal(version: str, revision: str) -> None:
    written = 'sum(rate(r{v="a$(version)",w!="$(revision)"}[5m])) / count_values("$(version)", s{x="$(revision)"})'

    def parsed(first: str, second: str) -> promql.Expr:
        filled = {**VALUES, "version": first, "revision": second}
        return promql.parse(expression(written, filled, MATCHERS, 60.0).text)

    tree = parsed(version, revision)
    assert without_literals(tree) == without_literals(parsed("harmless", "innocent"))
    first, second = selectors_of(tree)
    assert [m.value for m in first.matchers.matchers] == ["production", f"a{version}", revision]
    assert [m.value for m in second.matchers.matchers] == ["production", revision]
    assert len(literals_of(tree)) == 6


@given(hostile)
def test_a_value_in_a_regular_expression_stands_for_itself(version: str) -> None:
    sent = counter('r{v=~"$(version)"}', {**VALUES, "version": version}, {})
    (matcher,) = matchers_of(sent)
    assert matcher.op == promql.MatchOp.Re
    unescaped, position = "", 0
    while position < len(matcher.value):
        if matcher.value[position] == "\\":
            position += 1
        else:
            assert matcher.value[position] not in ".+*?()|[]{}^$"
        unescaped += matcher.value[position]
        position += 1
    assert unescaped == version


@given(any_text, any_text)
def test_forced_matchers_hold_whatever_they_say(namespace: str, tenant: str) -> None:
    forced = {"namespace": namespace, "tenant": tenant}
    for sent in (counter('r{v="$(version)"}', VALUES, forced), expression('r{v="x"}', VALUES, forced, 60.0).text):
        assert [(m.name, m.value) for m in matchers_of(sent)][:2] == [*forced.items()]


@given(st.text(st.sampled_from("r{}[]()\"'`\\$=~!,#5m sumby+on(version)\n"), max_size=60))
def test_no_text_leaves_the_matchers(written: str) -> None:
    try:
        sent = expression(written, VALUES, MATCHERS, 60.0).text
    except Invalid:
        return
    for selector in selectors_of(promql.parse(sent)):
        assert ("namespace", "production") in [(m.name, m.value) for m in selector.matchers.matchers]


def test_faults_are_found_before_anything_is_measured() -> None:
    def guard(**fields: object) -> Guard:
        return Guard.model_validate({"name": "g", "connection": "p", "revert": "+25%", **fields})

    assert faults(guard(ratio={"bad": 'r{v="$(version)"}', "total": "r"})) == ()
    assert len(faults(guard(ratio={"bad": "rate(r[5m])", "total": "increase(r[5m])"}))) == 2
    assert "without _bucket" in faults(guard(quantile={"percentile": 95, "histogram": "d_bucket"}))[0]
    assert faults(guard(value={"query": "rate(r[$(window)])"})) == ()
    assert "is not PromQL" in faults(guard(value={"query": "rate(r"}))[0]
