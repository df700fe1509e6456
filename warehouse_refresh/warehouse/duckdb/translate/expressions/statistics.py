"""Variances and correlations of NUMERIC, computed from exact sums.

https://cloud.google.com/bigquery/docs/reference/standard-sql/statistical_aggregate_functions
"""

_REASON = "the embedded engine cannot compute a variance of numbers of this size: this needs BigQuery"
COUNTED = (
    "CASE WHEN {x} BETWEEN -999999999::DECIMAL(38,9) AND 999999999::DECIMAL(38,9) THEN TRY_CAST({x} AS DECIMAL(18,9))"
    f" WHEN {{x}} IS NOT NULL THEN CAST(error('{_REASON}') AS DECIMAL(18,9)) END"
)
"""A NUMERIC as 64 bits hold it. DuckDB computes the CAST of all rows, those that have none among them."""
WHOLE = "CAST(trunc({x}) AS BIGINT)"
UNITS = "CAST(round(CAST({x} - trunc({x}) AS DOUBLE) * 1e9) AS BIGINT)"
"""What a number has before the point and after it, there in units of the ninth digit."""
PARTS_OF_PRODUCT = {"h": "{a} * {c}", "m": "{a} * {d} + {b} * {c}", "l": "{b} * {d}"}
"""The product of a with units b and c with units d: a product in units may have 36 digits, and a sum of them more."""
_LIMB = "1000000000000000000"
_PRODUCTS = (
    f"CASE WHEN abs({{h}}) < 100000000000000000000 THEN {{h}} * {_LIMB} + {{m}} * 1000000000 + {{l}} WHEN {{h}} IS NOT"
    f" NULL THEN CAST(error('{_REASON}') AS HUGEINT) END"
)
_DISTANCES = f"({_PRODUCTS}) - ({{x}} // {{n}}) * {{y}} - ({{x}} % {{n}}) * ({{y}} // {{n}})"
_LEFT = "({x} % {n}) * ({y} % {n})"
SPREAD = (
    f"list_transform([{_DISTANCES}], lambda m_: CASE WHEN abs(m_) < 10000000000000000000000000000 THEN"
    f" CAST(m_ * {{n}} - {_LEFT} AS DOUBLE) ELSE CAST(m_ AS DOUBLE) * {{n}} - CAST({_LEFT} AS DOUBLE) END)[1]"
)
"""n times the sum of the products, less the product of the sums: of the sums x and y of two values, the parts h, m and
l of the sum of their products, all in units, and the number of rows n."""


def _over(rows: str) -> str:
    return f"{{a}} / (CAST({{n}} AS DOUBLE) * {rows} * 1000000000000000000.0::DOUBLE)"


def _of_sample(template: str) -> str:
    return f"CASE WHEN {{n}} < 2 THEN NULL ELSE {template} END"


_SAMPLE, _ALL = _of_sample(_over("({n} - 1)")), _over("{n}")
_CORRELATION = (
    "CASE WHEN {b} = 0 OR {c} = 0 THEN 'nan'::DOUBLE ELSE greatest(-1.0::DOUBLE, least(1.0::DOUBLE, {a} / sqrt({b} *"
    " {c}))) END"
)
EXACT_STATISTICS = {
    "var_pop": _ALL,
    "var_samp": _SAMPLE,
    "stddev_pop": f"sqrt({_ALL})",
    "stddev_samp": f"sqrt({_SAMPLE})",
    "covar_pop": _ALL,
    "covar_samp": _SAMPLE,
    "corr": _of_sample(_CORRELATION),
}
"""By DuckDB's names: of the spread a of the values and, for a correlation, those b and c of each value alone."""
