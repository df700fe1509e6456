"""GoogleSQL's grammar of queries, brackets within brackets: what sqlglot reads past is found here.

A text becomes a string of one letter for each token. From the inside out, what a bracket holds is matched by regular
expressions and becomes one letter, of its kind: a query, a list of values, a window, …  Within one bracket the grammar
is a regular one, so no parser is needed, and a script takes some microseconds for each bracket.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#sql_syntax
"""

import re
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache

from warehouse_refresh.warehouse.errors import UnsupportedSql, place_at
from warehouse_refresh.warehouse.sql.mistakes import CONTEXTUAL, RESERVED
from warehouse_refresh.warehouse.sql.syntax_errors import unreadable

_TOKEN = re.compile(
    r"""
    (?:\s+|--[^\n]*+|\#[^\n]*+|/\*.*?\*/)*+
    (?:
        (?P<string>[rR]?[bB]?[rR]?(?:\'{3}(?:\\.|.)*?\'{3}|\"{3}(?:\\.|.)*?\"{3}|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"))
        | (?P<word>[^\W\d]\w*+)
        | (?P<name>`(?:\\.|[^`\\])*`)
        | (?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
        | (?P<parameter>@@?(?:\w+|`[^`]*`)|\?)
        | (?P<sign>\|>|\|\||<<|>>|<=|<>|>=|!=|=>|->|.)
        | \Z
    )
    """,
    re.VERBOSE | re.DOTALL,
)
"""A token, with the blanks and comments before it."""
_QUERY = re.compile(r"(?:\s+|--[^\n]*+|\#[^\n]*+|/\*.*?\*/)*+(?:(?:SELECT|WITH|FROM)\b|\()", re.IGNORECASE | re.DOTALL)
"""The start of a query."""
_MORE_WORDS = """SAFE_CAST DECIMAL BIGDECIMAL UNKNOWN FIRST LAST NAME STRICT MATERIALIZED SET"""
_SIGNS = ("|>", "||", "<<", ">>", "<=", "<>", ">=", "!=", "=>", "->", *"+-*/&|^~=<>.,")
_KINDS = (
    *("name", "path", "value", "group", "query", "deep", "number", "string", "parameter", "star", "case", "type"),
    *("element", "list", "operator", "none", "one", "names", "many", "window", "cast", "part", "items", "labels"),
    *("pivot", "unpivot", "sample", "join", "arguments", "sets", "as_value", "selected", "read", "bound"),
)
"""What a letter stands for beside words and signs: kinds of tokens, and of what brackets hold."""
_NAMES = sorted({*CONTEXTUAL, *_MORE_WORDS.split()} - {*RESERVED})
_TEXTS = [*sorted(RESERVED), *_NAMES, *(f"<{kind}>" for kind in _KINDS), *_SIGNS]
_LETTERS = {text: chr(0xE000 + index) for index, text in enumerate(_TEXTS)}
_RULES = {
    "w": f"[{_NAMES[0]}-<name>]",  # a name
    "x": f"[{_NAMES[0]}-<deep>]",  # a value
    "subquery": "[<query> <deep>]",
    "brackets": "[<none> <one> <names> <many> <deep>]",
    "given": "[<none> <one> <names> <many> <deep> <arguments>]",
    "over": "OVER ( <window> | <none> | <names> | w )",
    "path": "w ( '.' <name> )*",
    "called": "( ( path | LEFT | RIGHT | IF | GROUPING | COLLATE | RANGE ) given ( over )? )",
    "literal": "( [DATE TIME DATETIME TIMESTAMP NUMERIC BIGNUMERIC DECIMAL BIGDECIMAL JSON <type>] ( <string> )+ )",
    "computed": """
        [<number> <parameter> <case>] | (?<!IS)(?<!IS NOT)[NULL TRUE FALSE] | ( <string> )+ | literal | called
        | [CAST SAFE_CAST] <cast> | EXTRACT <part> | [ARRAY <type>] [<element> <list>] | <element> | <list>
        | [ARRAY EXISTS] subquery | [STRUCT <type>] ( brackets | <items> ) | WITH <bound>
        """,
    "after": "( '.' <name> | <element> | '.' brackets given )",
    "operand": """
        ( ( computed ) ( after )* | path ( '.' <name> )* <element> ( after )*
        | [<one> <names> <many> <query> <deep>] ( after )+ )
        """,
    "sign": "['+' '-' '~']",
    "between": "['+' '-' '*' '/' '||' '<<' '>>' '&' '|' '^']",
    "sum": "( sign )* x ( between ( sign )* x )*",
    "than": "['=' '!=' '<>' '<' '<=' '>' '>=']",
    "joint": """
        ['+' '-' '*' '/' '||' '<<' '>>' '&' '|' '^' '=' '!=' '<>' '<' '<=' '>' '>=' AND OR NOT BETWEEN IN LIKE IS]
        """,
    "compared": """
        sum ( than sum | ( NOT )? BETWEEN sum AND sum | ( NOT )? IN ( UNNEST )? ( brackets | subquery )
        | ( NOT )? LIKE [ANY SOME ALL] ( UNNEST )? ( brackets | subquery ) | ( NOT )? LIKE sum
        | IS ( NOT )? [NULL TRUE FALSE UNKNOWN] | IS ( NOT )? DISTINCT FROM sum )?
        """,
    "condition": "( NOT )* compared ( [AND OR] ( NOT )* compared )*",
    "values": "x ( ',' x )*",
    "as": "( AS )? w (?! [<pivot> <unpivot> INCLUDE EXCLUDE])",
    "stars": "( '*' | <star> ) ( EXCEPT <names> )? ( REPLACE <items> )?",
    "item": "( x ( as )? | stars )",
    "select_list": "item ( ',' item )* ( ',' )?",
    "key": "x ( COLLATE x )? sorted",
    "keys": "ORDER BY key ( ',' key )*",
    "sorted": "( [ASC DESC] )? ( NULLS [FIRST LAST] )?",
    "grouped": "( x ( as )? sorted | [ROLLUP CUBE] brackets | GROUPING ( w <sets> | x ) | <none> )",
    "groups": "GROUP ( AND ORDER )? BY ( ALL | grouped ( ',' grouped )* )",
    "named_window": "w AS ( <window> | <none> | <group> | w )",
    "windows": "WINDOW named_window ( ',' named_window )*",
    "pivot": "( PIVOT <pivot> | UNPIVOT ( [INCLUDE EXCLUDE] NULLS )? <unpivot> )",
    "source": """
        ( LATERAL )? ( [<path> <value> <query> <deep> <join> <items>] | w | UNNEST ( given | <items> ) )
        ( as )? ( WITH OFFSET ( as )? )? ( FOR w AS OF x ( as )? )? ( pivot ( as )? )*
        ( TABLESAMPLE w <sample> ( as )? )?
        """,
    "joined": "( NATURAL )? ( [INNER CROSS] | [LEFT RIGHT FULL] ( OUTER )? )? JOIN",
    "further": "( ( ',' | joined ) source | ON x | USING <names> )",
    "from": "FROM source ( further )*",
    "select": """
        SELECT ( [ALL DISTINCT] )? ( <as_value> )? select_list ( from )? ( WHERE x )? ( groups )?
        ( HAVING x )? ( QUALIFY x )? ( windows )?
        """,
    "with": "WITH ( RECURSIVE )? cte ( ',' cte )*",
    "cte": "w AS subquery",
    "united": """
        ( INNER | [LEFT FULL] ( OUTER )? )? [UNION INTERSECT EXCEPT] [ALL DISTINCT]
        ( ( STRICT )? CORRESPONDING ( BY x )? | BY NAME ( ON x )? )?
        """,
    "limit": "LIMIT x ( OFFSET x | x )?",
    "body": "[<selected> <read> <query> <deep>]",
    "whole": "subquery AS w ( '|>' piped )* | query",
    "query": "( with )? body ( united body )* ( keys )? ( limit )? ( '|>' piped )*",
    "list_end": "( ',' )?",
    "piped": """
        ( <selected> | <operator> ( select_list | pivot_end | grouped ( ',' grouped )* list_end )? ( groups list_end )?
        | [SET WINDOW] select_list | WHERE x | keys list_end | limit | AS w | DISTINCT | TABLESAMPLE w <sample>
        | joined source ( ON x | USING <names> )? | united ( subquery | x ) ( ',' ( subquery | x ) )* list_end
        | with list_end )
        """,
    "pivot_end": "( ( [INCLUDE EXCLUDE] NULLS )? [<pivot> <unpivot>] ( as )? )",
}
_CONTENTS = {
    "window": "( w )? ( PARTITION BY values )? ( keys )? ( [ROWS RANGE] ( BETWEEN )? edge ( AND edge )? )?",
    "query": "query",
    "cast": "x AS ( x | <type> | INTERVAL ) ( COLLATE x )? ( FORMAT x | x )? ( AT w ( w x | x ) )?",
    "part": "x FROM x ( AT w ( w x | x ) )?",
    "bound": "( w AS x ',' )+ x",
    "items": "x ( AS x )? ( ',' ( x ( AS x )? | w '=>' x ) )*",
    "labels": "x ( ( AS )? x )? ( ',' x ( ( AS )? x )? )*",
    "pivot": "x ( as )? ( ',' x ( as )? )* FOR x ( IN ( <labels> | <items> | brackets | subquery ) )?",
    "unpivot": "( w | <group> ) FOR x ( IN ( <labels> | <items> | brackets ) )?",
    "sample": "x [PERCENT ROWS]",
    "join": "source ( further )+",
    "sets": "grouped ( ',' grouped )*",
    "arguments": """
        ( [ALL DISTINCT] )? ( '*' | given_value ( ',' given_value )* ) ( [IGNORE RESPECT] NULLS )?
        ( HAVING ( w )? x )? ( keys )? ( limit )?
        """,
    "case": "( x )? ( WHEN x THEN x )+ ( ELSE x )?",
    "type": "field ( ',' field )*",
    "element": "x",
    "list": "( values )?",
    "none": "",
    "words": "w ( ',' w )*",
}
_RULES |= {
    "edge": "( [UNBOUNDED] | x | CURRENT ROW ) ( [PRECEDING FOLLOWING] )?",
    "given_value": "( x | w '=>' ( x | lambda ) | lambda | TABLE x )",
    "lambda": "( w | <group> ) '->' x",
    "field": "( w )? ( x | <type> | INTERVAL )",
}
_MOST_TOKENS = 2000
"""In a bracket of more tokens the first wrong one is not looked for: that would take seconds."""
_WORD = re.compile(r"'[^']+'|<\w+>|\w+|\(\?<?!|.", re.DOTALL)


def _pattern(rule: str) -> str:
    """A rule as a regular expression over letters."""
    return "".join(map(_written, _WORD.findall(rule)))


def _written(word: str) -> str:
    if len(word) > 1 and word.strip("'") in _LETTERS:
        return _LETTERS[word.strip("'")]
    if word in _RULES:
        return f"(?:{_pattern(_RULES[word])})"
    return {" ": "", "\n": "", "(": "(?:"}.get(word, word)


@cache
def _compiled(rule: str) -> re.Pattern[str]:
    return re.compile(_pattern(rule))


def _of(kind: str) -> str:
    return _LETTERS[f"<{kind}>"]


@cache
def _steps() -> tuple[tuple[re.Pattern[str], str], ...]:
    """What becomes one letter, one after the other, before a bracket's content is matched."""
    listed = "(?<![IN USING OVER EXCEPT ROLLUP CUBE UNNEST])(?<!LIKE [ANY SOME ALL])[<one> <names> <many>]"
    return (
        (_compiled("operand"), _of("value")),
        (_compiled("w ( '.' <name> )+"), _of("path")),
        (_compiled(listed), _of("group")),
        (_compiled("x '.' '*'"), _of("star")),
        (_compiled("INTERVAL sum w ( TO w )?"), _of("value")),
        (re.compile(f"(?={_pattern('NOT | sign | x joint')}){_pattern('(?<!CURRENT) condition')}"), _of("value")),
    )


@dataclass(slots=True)
class _Bracket:
    """What is open: its first sign and where it stands, the letter before it, the letters in it so far, and where the
    token of each stands."""

    sign: str
    start: int
    before: str = ""
    letters: list[str] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)

    def add(self, letter: str, place: tuple[int, int]) -> None:
        self.letters.append(letter)
        self.places.append(place)


def check_grammar(text: str) -> None:
    """Raises UnsupportedSql for a query that is not GoogleSQL by its grammar."""
    if not _QUERY.match(text):
        return
    stack = [_Bracket("", 0)]
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind is None:
            break
        written, place = match[kind], match.span(kind)
        if kind == "word":
            _take_word(stack, written.upper(), place, text)
        elif kind == "sign":
            _take_sign(stack, written, place, text)
        else:
            stack[-1].add(_LETTERS[f"<{kind}>"], place)
    _finish(stack, len(text), text)


def _take_word(stack: list[_Bracket], word: str, place: tuple[int, int], text: str) -> None:
    """Open or close a CASE, or add the letter of any other word: after a dot it is a name, after `|>` an operator, and
    SELECT's AS STRUCT is one letter."""
    top = stack[-1]
    before = top.letters[-1] if top.letters else ""
    if before == _DOT and top.letters[-2:-1] not in _LITERALS:
        top.add(_NAME, place)
    elif before == _PIPE and word not in RESERVED:
        top.add(_of("operator"), place)
    elif word == "CASE":
        stack.append(_Bracket(word, place[0]))
    elif word == "END":
        _close(stack, "CASE", place, text)
    elif before == _AS and word in ("STRUCT", "VALUE") and _SELECT_AS.search("".join(top.letters[-3:])):
        top.letters[-1] = _of("as_value")
    else:
        top.add(_LETTERS.get(word, _NAME), place)


def _take_sign(stack: list[_Bracket], sign: str, place: tuple[int, int], text: str) -> None:
    """Open or close a bracket, or add the letter of any other sign."""
    top = stack[-1]
    last = top.letters[-1] if top.letters else ""
    if sign in "([" or (sign == "<" and last in _TYPED):
        stack.append(_Bracket(sign, place[0], last))
    elif sign in _OPENED_BY:
        _close(stack, _OPENED_BY[sign], place, text)
    elif sign == "<>" and last == _LETTERS["STRUCT"]:
        top.letters[-1] = _of("type")
    elif sign[0] == ">" and top.sign == "<":
        for _ in sign.replace("=", ""):
            _close(stack, "<", place, text)
        if "=" in sign:
            stack[-1].add(_LETTERS["="], place)
    elif sign == ";":
        _finish(stack, place[0], text)
        stack[:] = [_Bracket("", place[1])]
    else:
        top.add(_LETTERS.get(sign, sign), place)


def _close(stack: list[_Bracket], sign: str, place: tuple[int, int], text: str) -> None:
    """Replace the innermost bracket by the letter of its kind."""
    found = stack.pop()
    kind = _kind_of(found) if found.sign == sign else None
    if kind is None:
        raise _wrong(found, place[1], text)
    top = stack[-1]
    if sign == "<":
        top.letters[-1] = _of(kind)  # ARRAY<…> is one letter
    else:
        top.add(_of(kind), (found.start, place[1]))


def _kind_of(bracket: _Bracket) -> str | None:
    """What a bracket holds; None if it is nothing that GoogleSQL has."""
    return _kind(bracket.sign, bracket.before, "".join(bracket.letters))


@lru_cache(10_000)  # the scripts of a project are much alike
def _kind(sign: str, before: str, letters: str) -> str | None:
    letters = _reduced(letters)
    if sign != "(":
        return next((kind for kind in _KINDS_IN[sign] if _fits(kind, letters)), None)
    if len(letters) == 1 and (kind := _single(letters)):
        return kind
    if _fits("values", letters):
        return "names" if _fits("words", letters) else "many"
    return next((kind for kind in _EXPECTED.get(before, _OTHERS) if _fits(kind, letters)), None)


def _single(letter: str) -> str | None:
    """What parentheses around one letter hold."""
    if letter in (_of("query"), _of("deep")):
        return "deep"
    return "names" if _fits("w", letter) else "one" if _fits("x", letter) else None


def _fits(kind: str, letters: str) -> bool:
    if kind in ("query", "whole"):
        letters = _compiled("select").sub(_of("selected"), letters)
        letters = _compiled("from").sub(_of("read"), letters)
    return _compiled(_CONTENTS.get(kind, kind)).fullmatch(letters) is not None


def _reduced(letters: str) -> str:
    """The letters with one for each value, path and star."""
    for pattern, letter in () if _fits("x", letters) else _steps():
        letters = pattern.sub(letter, letters)
    return letters


def _finish(stack: list[_Bracket], end: int, text: str) -> None:
    """Raises UnsupportedSql for a whole statement that is no query."""
    letters = stack[0].letters
    if letters and (len(stack) > 1 or _kind_of(stack[0]) is None):
        raise _wrong(stack[-1], end, text)


def _wrong(bracket: _Bracket, end: int, text: str) -> UnsupportedSql:
    """The error for what a bracket holds: at the first token after which nothing could follow, or at all of a long
    one."""
    start, places = bracket.start, bracket.places
    if len(places) <= _MOST_TOKENS:
        wrong = bisect_left(range(len(places)), True, key=lambda index: not _may_go_on(bracket, index + 1))
        start, end = places[wrong] if wrong < len(places) else (start, end)
    return unreadable(place_at(text, start, end - 1))


def _may_go_on(bracket: _Bracket, count: int) -> bool:
    """Whether something that GoogleSQL has begins with so many letters of what the bracket holds."""
    begun = bracket.letters[:count]
    return any(_kind_of(replace(bracket, letters=[*begun, *more])) for more in _endings())


@cache
def _endings() -> list[str]:
    """What may follow where something is missing, to tell how far a text is right."""
    texts = """
    | <value> | <name> | FROM <name> | <value> FROM <name> | AS <name> FROM <name> | <value> AS <name> | AS <name>
    | BY <value> | JOIN <name> | <names> | <query> | AS <query> SELECT <value> | SELECT <value> | <name> FROM <name>
    | ALL SELECT <value> | DISTINCT SELECT <value> | WHEN <value> THEN <value> | <value> THEN <value> | THEN <value>
    | PRECEDING | ROW | AND <value> | <value> AND <value> | NULL | <name> AS <query> SELECT <value> | FROM <value>
    | AS <value> ',' <value> | <value> ',' <value> | ',' <value>
    """
    return [_pattern(text) for text in texts.split("|")]


_TYPED = tuple(_LETTERS[word] for word in ("ARRAY", "STRUCT", "RANGE"))
_DOT, _PIPE, _AS, _NAME = (_LETTERS[text] for text in (".", "|>", "AS", "<name>"))
_SELECT_AS = re.compile(_pattern("SELECT ( [ALL DISTINCT] )? AS") + r"\Z")
_LITERALS = ([_of("string")], [_of("number")])
_OPENED_BY = {")": "(", "]": "["}
_KINDS_IN = {"CASE": ("case",), "<": ("type",), "[": ("element", "list"), "": ("whole",)}
_EXPECTED = {
    _LETTERS["CAST"]: ("cast",),
    _LETTERS["SAFE_CAST"]: ("cast",),
    _LETTERS["EXTRACT"]: ("part",),
    _LETTERS["OVER"]: ("none", "window"),
    _LETTERS["AS"]: ("query", "window"),
    _LETTERS["NULLS"]: ("unpivot",),
    _LETTERS["WITH"]: ("bound",),
    _LETTERS["UNPIVOT"]: ("unpivot",),
}
_OTHERS = ("query", "none", "arguments", "sample", "items", "labels", "pivot", "unpivot", "join", "sets")
