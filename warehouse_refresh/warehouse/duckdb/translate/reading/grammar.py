"""GoogleSQL's grammar of queries, brackets within brackets: what sqlglot reads past is found here.

A text becomes a string of one letter for each token. From the inside out, what a bracket holds is matched by regular
expressions and becomes one letter, of its kind: a query, a list of values, a window, …  Within one bracket the grammar
is a regular one, so no parser is needed, and a script takes some microseconds for each bracket.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#sql_syntax
"""

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cache, lru_cache

from warehouse_refresh.warehouse.errors import place_at
from warehouse_refresh.warehouse.sql.mistakes import CONTEXTUAL, RESERVED
from warehouse_refresh.warehouse.sql.syntax_errors import unreadable

_BLANKS = r"(?:\s+|--[^\n]*+|\#[^\n]*+|/\*.*?\*/)*+"
_ANY = r"""
    (?P<string>[rR]?[bB]?[rR]?(?:\'{3}(?:\\.|.)*?\'{3}|\"{3}(?:\\.|.)*?\"{3}|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"))
    | (?P<word>[^\W\d]\w*+)
    | (?P<quoted>`(?:\\.|[^`\\])*`)
    | (?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<parameter>@@?(?:\w+|`[^`]*`)|\?)
    | (?P<sign>\|>|\|\||<<|>>|<=|<>|>=|!=|=>|->|.)
    """
_TOKENS = re.compile(f"{_BLANKS}(?:{_ANY}|\\Z)", re.VERBOSE | re.DOTALL)
_TEXTS_OF_TOKENS = re.compile(f"{_BLANKS}({re.sub(r'[?]P<[a-z]+>', '?:', _ANY)}|\\Z)", re.VERBOSE | re.DOTALL)
_QUERY = re.compile(rf"{_BLANKS}(?:(?:SELECT|WITH|FROM)\b|\()", re.IGNORECASE | re.DOTALL)
"""The start of a query."""
_DASHED = re.compile(
    rf"""
    ( (?<!\w)(?:FROM|JOIN)\s{_BLANKS} )( [^\W\d]\w*(?:-\w+)+ )
    | ( [,(]{_BLANKS} )( [^\W\d]\w*(?:-\w+)+ )(?=\.(?:[^\W\d]|`))
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
"""A project's name with dashes: https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#path_expressions"""
_MORE_WORDS = """SAFE_CAST DECIMAL BIGDECIMAL UNKNOWN FIRST LAST NAME STRICT MATERIALIZED SET"""
_SIGNS = ("|>", "||", "<<", ">>", "<=", "<>", ">=", "!=", "=>", "->", *"+-*/&|^~=<>.,")
_KINDS = """
    quoted name path value expression group query deep number string parameter star case type element list operator none
    one names many window cast part items aliases labels pivot unpivot sample join arguments sets as_value selected read
    bound
    """
"""What a letter stands for beside words and signs: kinds of tokens, and of what brackets hold."""
_NAMES = sorted({*CONTEXTUAL, *_MORE_WORDS.split()} - {*RESERVED})
_TEXTS = [*sorted(RESERVED), *_NAMES, *(f"<{kind}>" for kind in _KINDS.split()), *_SIGNS]
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
    "after": "( '.' ( <name> | brackets ) given ( over )? | '.' <name> | <element> )",
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
        SELECT ( [ALL DISTINCT] )? ( <as_value> )? select_list ( <read> )? ( WHERE x )? ( groups )?
        ( HAVING x )? ( QUALIFY x )? ( windows )?
        """,
    "with": "WITH ( RECURSIVE )? cte ( ',' cte )*",
    "cte": "w AS subquery",
    "united": """
        ( INNER | OUTER | [LEFT FULL] ( OUTER )? )? [UNION INTERSECT EXCEPT] [ALL DISTINCT]
        ( ( STRICT )? CORRESPONDING ( BY x )? | BY NAME ( ON x )? )?
        """,
    "limit": "LIMIT x ( OFFSET x | x )?",
    "body": "[<selected> <read> <query> <deep>]",
    "query": "( with )? body ( united body )* ( keys )? ( limit )?",
    "piped_query": "query ( '|>' piped )*",
    "aliased": "subquery AS w ( '|>' piped )*",
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
    "cast": "x AS ( x | <type> | INTERVAL ) ( COLLATE x )? ( FORMAT x | x )? ( AT w ( w x | x ) )?",
    "part": "x FROM x ( AT w ( w x | x ) )?",
    "bound": "( w AS x ',' )+ x",
    "items": "x ( AS x )? ( ',' ( x ( AS x )? | w '=>' x ) )*",
    "aliases": "x ( ( AS )? w )? ( ',' x ( ( AS )? w )? )*",
    "labels": "x ( ( AS )? <value> )? ( ',' x ( ( AS )? <value> )? )*",
    "pivot": "x ( as )? ( ',' x ( as )? )* FOR x ( IN ( <aliases> | <items> | brackets | subquery ) )?",
    "unpivot": "( w | <group> ) FOR x ( IN ( <labels> | <items> | brackets ) )?",
    "sample": "x [PERCENT ROWS]",
    "join": "source ( further )+",
    "sets": "grouped ( ',' grouped )*",
    "arguments": """
        ( ( ALL )? given_values | ( DISTINCT )? ( given_values )? ) ( [IGNORE RESPECT] NULLS )?
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
    "given_values": "( '*' | given_value ( ',' given_value )* )",
    "given_value": "( x | w '=>' ( x | lambda ) | lambda | TABLE x )",
    "lambda": "( w | <group> ) '->' x",
    "field": "( w )? ( x | <type> | INTERVAL )",
}
_MOST_TOKENS = 2000
"""In a bracket of more tokens the first wrong one is not looked for: that would take seconds."""
_WORD = re.compile(r"'[^']+'|<\w+>|\w+|\(\?<?[!=]|.", re.DOTALL)


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
        (_compiled("INTERVAL sum w ( TO w )?"), _of("expression")),
        (re.compile(f"(?={_pattern('NOT | sign | x joint')}){_pattern('(?<!CURRENT) condition')}"), _of("expression")),
    )


@dataclass(slots=True)
class _Bracket:
    """What is open: its first sign and the token that it is, the letter before it, the letters in it so far, and the
    token at which each starts. Tokens are counted from 0."""

    sign: str
    start: int
    before: str = ""
    letters: str = ""
    starts: list[int] = field(default_factory=list)

    def add(self, letters: str, start: int) -> None:
        self.letters += letters
        self.starts += range(start, start + len(letters))


class _WrongTokensError(Exception):
    """The first and the last token of what is no GoogleSQL."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last


def check_grammar(text: str) -> None:
    """Raises UnsupportedSql for a query that is not GoogleSQL by its grammar."""
    if not _QUERY.match(text):
        return
    try:
        _check(_letters_of(text))
    except _WrongTokensError as wrong:
        without = without_dashes(text)
        if without != text:
            check_grammar(without)
            return
        spans = [match.span(match.lastgroup) for match in _TOKENS.finditer(text) if match.lastgroup]
        _, end = spans[min(wrong.last, len(spans) - 1)]  # of a bracket that nothing closes
        raise unreadable(place_at(text, spans[wrong.first][0], end - 1)) from None


def without_dashes(text: str) -> str:
    """The text, as long as it was, with a `_` for each dash in the name of a project that a table is read from."""

    def written(found: re.Match[str]) -> str:
        before, name, other_before, other_name = found.groups(default="")
        return before + other_before + (name + other_name).replace("-", "_")

    return _DASHED.sub(written, text)


@lru_cache(10_000)  # the scripts of a project have few different tokens
def _letter_of(token: str) -> str:
    match = _TOKENS.match(token)
    kind = match.lastgroup if match else None
    if kind in ("word", "sign"):
        return _LETTERS.get(token.upper(), _NAME if kind == "word" else token)
    return _of(kind) if kind else ""  # the end


def _letters_of(text: str) -> str:
    """One letter for each token. After a dot a word is a name, and after `|>` an operator."""
    letters = "".join(map(_letter_of, _TEXTS_OF_TOKENS.findall(text)))
    letters = _MEMBER.sub(_NAME, letters)
    return _OPERATOR.sub(_of("operator"), letters) if _PIPE in letters else letters


@lru_cache(1_000)
def _check(letters: str) -> None:
    """Raises _WrongTokensError for what is no query."""
    stack = [_Bracket("", 0)]
    done = 0
    for match in _BRACKETS.finditer(letters):
        at = match.start()
        stack[-1].add(letters[done:at], done)
        _take(stack, letters[at], at)
        done = at + 1
    stack[-1].add(letters[done:], done)
    _finish(stack, len(letters))


def _take(stack: list[_Bracket], letter: str, at: int) -> None:
    """Open or close a bracket; a `>` that closes none is an operator."""
    top = stack[-1]
    if letter in _OPENING:
        stack.append(_Bracket(_OPENING[letter], at, top.letters[-1:]))
    elif letter in _CLOSING:
        _close(stack, _CLOSING[letter], at)
    elif letter == ";":
        _finish(stack, at)
        stack[:] = [_Bracket("", at + 1)]
    elif top.sign == "<":
        for _ in range(_CLOSED_TYPES[letter]):
            _close(stack, "<", at)
        if letter == _LETTERS[">="]:
            stack[-1].add(_LETTERS["="], at)
    else:
        top.add(letter, at)


def _close(stack: list[_Bracket], sign: str, at: int) -> None:
    """Replace the innermost bracket by the letter of its kind."""
    found = stack.pop()
    kind = _kind_of(found) if found.sign == sign else None
    if kind is None:
        raise _wrong(found, found.start if found.sign == sign else at, at)
    top = stack[-1]
    if sign == "<":
        top.letters = top.letters[:-1] + _of(kind)  # ARRAY<…> is one letter
    else:
        top.letters += _of(kind)
        top.starts.append(found.start)


def _kind_of(bracket: _Bracket) -> str | None:
    """What a bracket holds; None if it is nothing that GoogleSQL has."""
    return _kind(bracket.sign, bracket.before, bracket.letters)


@lru_cache(10_000)  # the scripts of a project are much alike
def _kind(sign: str, before: str, letters: str) -> str | None:
    letters = _reduced(_AS_VALUE.sub(_of("as_value"), letters).replace(_NO_FIELDS, _of("type")))
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
    if kind in ("query", "aliased"):
        letters = _compiled("from").sub(_of("read"), letters)
        letters = _compiled("select").sub(_of("selected"), letters)
        kind = "piped_query" if kind == "query" and _PIPE in letters else kind
    return _compiled(_CONTENTS.get(kind, kind)).fullmatch(letters) is not None


def _reduced(letters: str) -> str:
    """The letters with one for each value, path and star."""
    for pattern, letter in () if _fits("x", letters) else _steps():
        letters = pattern.sub(letter, letters)
    return letters


def _finish(stack: list[_Bracket], end: int) -> None:
    """Raises _WrongTokensError for a whole statement that is no query."""
    if stack[0].letters and (len(stack) > 1 or _kind_of(stack[0]) is None):
        raise _wrong(stack[-1], stack[-1].start, end)


def _wrong(bracket: _Bracket, first: int, end: int) -> _WrongTokensError:
    """The error for what a bracket holds before the token `end`: at the first token after which nothing could follow,
    else, and in a long bracket, from `first` on."""
    starts = bracket.starts
    if len(starts) <= _MOST_TOKENS:
        wrong = bisect_left(range(len(starts)), True, key=lambda index: not _may_go_on(bracket, index + 1))
        if wrong < len(starts):
            return _WrongTokensError(starts[wrong], [*starts, end][wrong + 1] - 1)
    return _WrongTokensError(first, end)


def _may_go_on(bracket: _Bracket, count: int) -> bool:
    """Whether something that GoogleSQL has begins with so many letters of what the bracket holds."""
    begun = bracket.letters[:count]
    return any(_kind(bracket.sign, bracket.before, begun + more) for more in _endings())


@cache
def _endings() -> list[str]:
    """What may follow where something is missing, to tell how far a text is right."""
    texts = """
    | <value> | <name> | FROM <name> | <value> FROM <name> | AS <name> FROM <name> | <value> AS <name> | AS <name>
    | BY <value> | JOIN <name> | <names> | <query> | AS <query> SELECT <value> | SELECT <value> | <name> FROM <name>
    | ALL SELECT <value> | DISTINCT SELECT <value> | WHEN <value> THEN <value> | <value> THEN <value> | THEN <value>
    | PRECEDING | ROW | AND <value> | <value> AND <value> | NULL | <name> AS <query> SELECT <value> | FROM <value>
    | IN <names> | STRUCT <value> | AS <value> ',' <value> | <value> ',' <value> | ',' <value>
    """
    return [_pattern(text) for text in texts.split("|")]


_NAME, _PIPE, _CASE, _END, _LESS = (_LETTERS[text] for text in ("<name>", "|>", "CASE", "END", "<"))
_WORDS = f"[{_LETTERS[_TEXTS[0]]}-{_LETTERS[_NAMES[-1]]}]"
_MEMBER = re.compile(_pattern("(?<='.')<quoted> | (?<='.')(?<![<string> <number>]'.')") + _WORDS)
_OPERATOR = re.compile(f"(?<={_PIPE})[{_LETTERS[_NAMES[0]]}-{_LETTERS[_NAMES[-1]]}{_NAME}]")
_AS_VALUE = re.compile(_pattern("(?<=SELECT)AS [STRUCT VALUE]|(?<=SELECT [ALL DISTINCT])AS [STRUCT VALUE]"))
_NO_FIELDS = _pattern("STRUCT '<>'")
_BRACKETS = re.compile(rf"[()\[\];{_CASE}{_END}]|" + _pattern("(?<=[ARRAY STRUCT RANGE])'<'|['>' '>>' '>=']"))
_OPENING = {"(": "(", "[": "[", _CASE: "CASE", _LESS: "<"}
_CLOSING = {")": "(", "]": "[", _END: "CASE"}
_CLOSED_TYPES = {_LETTERS[">"]: 1, _LETTERS[">="]: 1, _LETTERS[">>"]: 2}
_KINDS_IN = {"CASE": ("case",), "<": ("type",), "[": ("element", "list"), "": ("query", "aliased")}
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
_OTHERS = ("query", "none", "arguments", "sample", "items", "aliases", "labels", "pivot", "unpivot", "join", "sets")
