"""GoogleSQL's syntax tree with every function call under the name that stands in the text.

sqlglot turns the calls it knows into classes shared by all dialects, and changes their arguments on the way (LOG swaps
them, JSON paths are parsed, DATE_ADD drops its INTERVAL). Here the names matter, so they are hidden from it.
"""

import re
from collections.abc import Collection
from itertools import pairwise

from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.duckdb.translate.reading.foreign import BEFORE_A_SIGN, UNITS, check_foreign
from warehouse_refresh.warehouse.duckdb.translate.reading.neighbours import check_neighbours
from warehouse_refresh.warehouse.duckdb.translate.reading.places import check_names, check_places
from warehouse_refresh.warehouse.duckdb.translate.syntax import PREFIX, name_of
from warehouse_refresh.warehouse.errors import SqlError, place_at
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.calls import paths_before_brackets
from warehouse_refresh.warehouse.sql.parser import trees_of, with_tables
from warehouse_refresh.warehouse.sql.rewriting.pipes import has_pipes, unpiped, words
from warehouse_refresh.warehouse.sql.rewriting.tokens import named_tokens, without_last_commas
from warehouse_refresh.warehouse.sql.syntax_errors import FAULTS_OF_PARSER, syntax_error, unreadable

# Calls with a grammar of their own, which sqlglot is to read.
GRAMMAR = frozenset({"CAST", "SAFE_CAST", "EXTRACT", "ARRAY", "STRUCT", "EXISTS", "UNNEST", "IF", "WITH"})
# Words before a parenthesis that are no calls.
WORDS = frozenset(
    {"AS", "IN", "ANY", "ALL", "SOME", "OVER", "USING", "ON", "AND", "OR", "NOT", "LIKE", "BETWEEN", "WHEN", "THEN"}
    | {"ELSE", "CASE", "FROM", "JOIN", "SELECT", "DISTINCT", "WHERE", "BY", "HAVING", "LIMIT", "VALUES", "INTERVAL"}
    | {
        "OFFSET",
        "ORDINAL",
        "SAFE_OFFSET",
        "SAFE_ORDINAL",
        "ROLLUP",
        "CUBE",
        "SETS",
        "GROUPING SETS",
        "PIVOT",
        "UNPIVOT",
        "FOR",
        "QUALIFY",
    }
    | {
        "UNION",
        "EXCEPT",
        "INTERSECT",
        "EXISTS",
        "IS",
        "SET",
        "END",
        "TABLESAMPLE",
        "WINDOW",
        "NULLS",
        "RECURSIVE",
        "INTO",
    }
    | {"LATERAL", "TABLE", "EXTEND", "DESC", "ASC", "MATERIALIZED", "DEFAULT"}
    | {"NUMERIC", "BIGNUMERIC", "DECIMAL", "CORRESPONDING"}
)
BEFORE_NO_CALL = frozenset({TokenType.ALIAS, TokenType.VAR, TokenType.IDENTIFIER, TokenType.INTO, TokenType.TABLE})


def parse_by_name(text: str, functions: Collection[TableName] = (), own: str = "") -> list[exp.Expr]:
    """The statements of a text, calls as `exp.Anonymous` with `f:` before the name; those of `functions` by their
    names with the dataset. `own` is the project that the text may name them with. Raises SqlError."""
    tokens = named_tokens(text)
    if functions:
        tokens = _with_functions(tokens, functions, own)
    check_foreign(tokens, text)
    check_places(tokens, text)
    check_neighbours(tokens, text)
    if "\\" in text:
        _check_escapes(tokens, text)
    tokens = without_last_commas(tokens, text)
    if has_pipes(tokens):
        tokens = unpiped(tokens, text)
    tokens = _with_apart(tokens)
    _mark_calls(tokens)
    _mark_signs(tokens)
    _mark_names(tokens, text)
    try:
        trees = [tree for tree in trees_of(tokens, text) if tree is not None]
    except ParseError as error:
        raise syntax_error(text, error) from error
    except FAULTS_OF_PARSER as error:
        raise unreadable(place_at(text, tokens[0].start, tokens[0].end)) from error
    kinds = {token.token_type for token in tokens}
    for tree in trees:
        check_names(tree, text)
    trees = [with_tables(tree, text) for tree in trees]
    return [_as_googlesql_reads(tree, text, kinds) for tree in trees]


def _as_googlesql_reads(tree: exp.Expr, text: str, kinds: set[TokenType]) -> exp.Expr:
    """The tree without what sqlglot reads in another way. `kinds` are those of the text's tokens."""
    if _MODIFIED.search(text):
        _move_modifiers(tree)
    if _SAFE_WINDOW.search(text):
        for window in tree.find_all(exp.Window):
            _mark_safe(window)
    if _NET.search(text):
        _name_net(tree)
    if not kinds.isdisjoint(_OF_BITS):
        tree = _regrouped(tree)
    return _with_paths_of_json(tree) if TokenType.JSON in kinds else tree


_MODIFIED = re.compile(r"\b(?:SAFE|NET)\s*\..*\b(?:IGNORE|RESPECT)\s+NULLS\b", re.IGNORECASE | re.DOTALL)


def _move_modifiers(tree: exp.Expr) -> None:
    """SAFE.f(x) IGNORE NULLS as a call with SAFE within the modifier: to sqlglot it is a column of a table SAFE."""
    for column in list(tree.find_all(exp.Column)):
        modifier = column.this
        names = [column.args[part].name.upper() for part in ("db", "table") if column.args.get(part)]
        if not isinstance(modifier, exp.IgnoreNulls | exp.RespectNulls) or names not in _PREFIXES:
            continue
        call = modifier.this
        if "NET" in names:
            call.set("this", f"{PREFIX}NET.{name_of(call)}")
        modifier.set("this", exp.SafeFunc(this=call) if "SAFE" in names else call)
        column.replace(modifier)


_PREFIXES = (["SAFE"], ["NET"], ["SAFE", "NET"])


_NET = re.compile(r"\bNET\s*\.", re.IGNORECASE)


def _name_net(tree: exp.Expr) -> None:
    """Give the calls of NET.f(…) their whole names."""
    for net in list(tree.find_all(exp.NetFunc)):
        call = net.this
        call.set("this", f"{PREFIX}NET.{name_of(call)}")
        net.replace(call)


def _with_paths_of_json(tree: exp.Expr) -> exp.Expr:
    """The tree with JSON '…'.a and JSON '…'[0], of which sqlglot makes a JSON of '…'.a."""
    for json in [node for node in tree.find_all(exp.ParseJSON) if isinstance(node.this, exp.Dot | exp.Bracket)]:
        top = bottom = json.this
        while isinstance(bottom.this, exp.Dot | exp.Bracket):
            bottom = bottom.this
        json.replace(top)
        json.set("this", bottom.this)
        bottom.set("this", json)
    return tree


_SAFE_WINDOW = re.compile(r"\bSAFE\s*\..*\bOVER\b", re.IGNORECASE | re.DOTALL)


def _mark_safe(window: exp.Expr) -> None:
    """SAFE.f(…) OVER (…) as a call with SAFE, as it is without OVER: to sqlglot it is the field of a struct."""
    call = window.this
    if isinstance(call, exp.IgnoreNulls | exp.RespectNulls):
        call = call.this
    if isinstance(call, exp.Dot) and call.this.sql().upper() == "SAFE" and isinstance(call.expression, exp.Func):
        call.replace(exp.SafeFunc(this=call.expression))


def _mark_calls(tokens: list[Token]) -> None:
    """Put `f:` before the names of calls."""
    for index in range(len(tokens) - 1):
        if tokens[index + 1].token_type == TokenType.L_PAREN and _is_call(tokens, index):
            tokens[index].text = PREFIX + tokens[index].text
            tokens[index].token_type = TokenType.VAR


def _mark_signs(tokens: list[Token]) -> None:
    """Make the + before a value a sign that sqlglot does not leave out: that of a root, which GoogleSQL does not have.
    Before a number it means nothing, but between a minus sign and a number: `- +1.5` is no literal."""
    for index, token in enumerate(tokens[:-1]):
        is_needed = tokens[index + 1].token_type != TokenType.NUMBER or _is_minus(tokens, index - 1)
        if token.token_type == TokenType.PLUS and is_needed and _is_sign(tokens, index):
            token.token_type = TokenType.PIPE_SLASH


def _with_apart(tokens: list[Token]) -> list[Token]:
    """The tokens with parentheses around the value of INTERVAL 1 DAY + '2024-01-01', which is no interval."""
    found = list(tokens)
    for index in range(len(tokens) - 1, 2, -1):
        before, kind = tokens[index - 1].token_type, tokens[index].token_type
        is_added = before == TokenType.PLUS and kind in (TokenType.STRING, TokenType.NUMBER)
        if is_added and tokens[index - 2].text.upper() in UNITS:
            found[index : index + 1] = [*words("(", tokens[index]), tokens[index], *words(")", tokens[index])]
    return found


def _is_minus(tokens: list[Token], index: int) -> bool:
    """Whether the token is the minus sign of a value."""
    return index >= 0 and tokens[index].token_type == TokenType.DASH and _is_sign(tokens, index)


def _is_sign(tokens: list[Token], index: int) -> bool:
    """Whether the + or - at `index` is the sign of a value, and no operator between two."""
    return not index or tokens[index - 1].token_type in BEFORE_A_SIGN or _is_after_as(tokens, index)


def _is_after_as(tokens: list[Token], index: int) -> bool:
    """Whether a token follows SELECT AS STRUCT or SELECT AS VALUE."""
    return [token.text.upper() for token in tokens[max(index - 3, 0) : index - 1]] == ["SELECT", "AS"]


_CURRENT = {
    *(TokenType.CURRENT_DATE, TokenType.CURRENT_DATETIME, TokenType.CURRENT_TIME, TokenType.CURRENT_TIMESTAMP),
}


def _mark_names(tokens: list[Token], text: str) -> None:
    """Make words names that sqlglot takes for more."""
    if "CURRENT_" in text.upper():
        _mark_current(tokens)
    if _IS_UNKNOWN.search(text):
        _mark_unknown(tokens)


def _mark_current(tokens: list[Token]) -> None:
    """Make CURRENT_DATE and the like names where only a name can stand."""
    for index, token in enumerate(tokens):
        if token.token_type in _CURRENT and index:
            before = tokens[index - 1].token_type
            if before == TokenType.ALIAS or _is_in_list_of_names(tokens, index):
                token.token_type = TokenType.VAR


def _is_in_list_of_names(tokens: list[Token], index: int) -> bool:
    """Whether the token is in the parentheses of EXCEPT, RENAME, USING, UNPIVOT, BY NAME ON, or CORRESPONDING BY."""
    depth = 0
    for place in range(index - 1, 0, -1):
        kind = tokens[place].token_type
        depth += (kind == TokenType.R_PAREN) - (kind == TokenType.L_PAREN)
        if depth < 0:
            before, word = tokens[place - 2].text.upper(), tokens[place - 1].text.upper()
            if word == "IN":  # UNPIVOT (a FOR b IN (…))
                return _is_in_list_of_names(tokens, place)
            return word in ("EXCEPT", "RENAME", "USING", "UNPIVOT") or (before, word) in _BEFORE_LISTS
    return False


_IS_UNKNOWN = re.compile(r"\bUNKNOWN\b", re.IGNORECASE)


def _mark_unknown(tokens: list[Token]) -> None:
    """Make the UNKNOWN of IS UNKNOWN a name: sqlglot makes a NULL of it, to which any value can be compared."""
    for token, after in pairwise(tokens):
        if after.token_type == TokenType.UNKNOWN and token.token_type in (TokenType.IS, TokenType.NOT):
            after.token_type = TokenType.VAR


_BEFORE_LISTS = {("NAME", "ON"), ("CORRESPONDING", "BY")}


def _with_functions(tokens: list[Token], functions: Collection[TableName], own: str) -> list[Token]:
    """The tokens with one token for the name of each call of these functions."""
    found = list(tokens)
    for first, last, names in reversed(list(paths_before_brackets(tokens))):
        name = TableName(names[-2], names[-1])
        if name in functions and ".".join(names[:-2]) in ("", own):
            found[first].text, found[first].token_type = str(name), TokenType.VAR
            del found[first + 1 : last + 1]
    return found


_OF_BITS = {TokenType.AMP, TokenType.CARET, TokenType.PIPE, TokenType.LT, TokenType.GT}  # `<<` is two tokens of `<`
_PRECEDENCE: tuple[tuple[type[exp.Binary], ...], ...] = (
    (exp.BitwiseLeftShift, exp.BitwiseRightShift),
    (exp.BitwiseAnd,),
    (exp.BitwiseXor,),
    (exp.BitwiseOr,),
)
_BITWISE = tuple(kind for kinds in _PRECEDENCE for kind in kinds)


def _regrouped(tree: exp.Expr) -> exp.Expr:
    """The tree with operators on bits by their precedence: to sqlglot all of them bind alike.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/operators#operator_precedence"""
    chains = [node for node in tree.find_all(*_BITWISE) if not isinstance(node.parent, _BITWISE)]
    for top in chains:
        operators: list[exp.Expr] = []
        node: exp.Expr = top
        while isinstance(node, _BITWISE):
            operators.append(node)
            node = node.this
        operators.reverse()
        if len({type(operator) for operator in operators}) > 1:
            top.replace(_by_precedence([node, *(operator.expression for operator in operators)], operators))
    return tree


def _by_precedence(operands: list[exp.Expr], operators: list[exp.Expr]) -> exp.Expr:
    """One tree of operands with an operator between each two, those of the first kinds in _PRECEDENCE first."""
    for kinds in _PRECEDENCE:
        left = [operands[0]]
        waiting = []
        for operator, operand in zip(operators, operands[1:], strict=True):
            if isinstance(operator, kinds):
                left[-1] = type(operator)(this=left[-1], expression=operand)
            else:
                left.append(operand)
                waiting.append(operator)
        operands, operators = left, waiting
    return operands[0]


_ESCAPES = re.compile(
    r"\\([abfnrtv\\?\"'`\n]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|.?)", re.DOTALL
)
_KNOWN = re.compile(
    r"\\([abfnrtv\\?\"'`\n]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})", re.DOTALL
)


def _check_escapes(tokens: list[Token], text: str) -> None:
    """sqlglot reads '\\d' as 'd' and leaves others alone: GoogleSQL refuses such escapes, and reads all the others.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#escape_sequences"""
    for token in tokens:
        if token.token_type != TokenType.STRING or "\\" not in text[token.start : token.end + 1]:
            continue
        written = text[token.start : token.end + 1]
        for escape in _ESCAPES.finditer(written):
            if not _KNOWN.fullmatch(escape[0]) or not _is_character(escape[0]):
                raise SqlError(
                    f"illegal escape sequence {escape[0]}",
                    hint="write the backslash twice, or r'…'",
                    place=place_at(text, token.start, token.end),
                )


def _is_character(escape: str) -> bool:
    """Whether an escape by number, such as the one for U+00E9, is that of a character."""
    number = int(escape[2:], 16) if escape[1] in "uU" else 0
    return number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF


def _is_call(tokens: list[Token], index: int) -> bool:
    token, before = tokens[index], tokens[index - 1] if index else None
    word = token.text.upper()
    if word in GRAMMAR or word in WORDS or not (word[:1].isalpha() or word[:1] == "_"):
        return False
    if len(word.split()) > 1 or token.token_type in (TokenType.IDENTIFIER, TokenType.STRING):
        return False  # PARTITION BY is one token
    if word == "NAME" and before is not None and before.text.upper() == "BY":  # UNION ALL BY NAME (…)
        return False
    if before is not None and before.token_type == TokenType.DOT:
        return index > 1 and tokens[index - 2].text.upper() in ("SAFE", "NET", "KEYS", "HLL_COUNT")
    if before is not None and before.token_type == TokenType.LT and index > 1:
        return tokens[index - 2].token_type not in (TokenType.ARRAY, TokenType.STRUCT)
    if (
        before is not None
        and before.text.upper() in ("MAX", "MIN")
        and tokens[index - 2].token_type == TokenType.HAVING
    ):
        return True  # ANY_VALUE(x HAVING MAX ABS(y))
    if before is None or before.token_type not in BEFORE_NO_CALL or _is_select_as(tokens, index):
        return not (word in ("REPLACE", "RENAME") and before is not None and _ends_star(tokens, index - 1))
    return before.token_type == TokenType.VAR and before.text.upper() in WORDS | {"AGGREGATE", "IGNORE", "RESPECT"}


def _is_extreme(tokens: list[Token], index: int) -> bool:
    """Whether it is the MAX or MIN of `ANY_VALUE(x HAVING MAX y)`."""
    return tokens[index].text.upper() in ("MAX", "MIN") and tokens[index - 1].token_type == TokenType.HAVING


def _is_select_as(tokens: list[Token], index: int) -> bool:
    """`SELECT AS VALUE f(`"""
    return tokens[index - 1].text.upper() == "VALUE" and tokens[index - 2].token_type == TokenType.ALIAS


def _ends_star(tokens: list[Token], index: int) -> bool:
    """`* REPLACE (` and `* EXCEPT (a) REPLACE (`."""
    return tokens[index].token_type in (TokenType.STAR, TokenType.R_PAREN)
