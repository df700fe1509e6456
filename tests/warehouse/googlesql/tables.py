"""The tables that the query shapes read: small, with NULLs, extremes, odd text, and one without rows.

Each is the answer of a GoogleSQL query, which only the reference engine runs; DuckDB is given the values.
"""

from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import Column, parse_type

TABLES = {
    TableName("d", "one"): (
        """
        SELECT 1 AS i, 1.5 AS f, NUMERIC '2.5' AS n, 's' AS s, b'b' AS b, TRUE AS bo, DATE '2020-01-02' AS d,
          DATETIME '2020-01-02 03:04:05' AS dt, TIMESTAMP '2020-01-02 03:04:05+00' AS ts, TIME '03:04:05' AS t,
          [1, 2] AS ai, [1.5] AS af, STRUCT(1 AS x, 'y' AS y) AS st, JSON '{"a":1}' AS j, ['a'] AS texts, 2 AS i2,
          CAST(NULL AS INT64) AS ni, CAST(NULL AS STRING) AS ns, CAST(NULL AS ARRAY<INT64>) AS na"""
    ),
    TableName("d", "numbers"): (
        """
        SELECT 1 AS id, 10 AS i, 2.5 AS f, NUMERIC '1.5' AS n, TRUE AS b, 3 AS k
        UNION ALL SELECT 2, -7, -0.125, NUMERIC '-2.000000001', FALSE, 3
        UNION ALL SELECT 3, NULL, NULL, NULL, NULL, NULL
        UNION ALL SELECT 4, 0, 0.0, NUMERIC '0', TRUE, 1
        UNION ALL SELECT 5, 9007199254740993, 1e15, NUMERIC '12345678901234567890.123456789', FALSE, 2
        UNION ALL SELECT 6, 42, CAST('nan' AS FLOAT64), NUMERIC '0.1', NULL, 2
        UNION ALL SELECT 7, -1, CAST('-inf' AS FLOAT64), NUMERIC '99', TRUE, 1
        UNION ALL SELECT 8, 10, 0.1, NUMERIC '-0.5', FALSE, NULL"""
    ),
    TableName("d", "texts"): (
        r"""
        SELECT 1 AS id, 'Apple pie' AS s, 'p' AS t, b'abc' AS raw
        UNION ALL SELECT 2, '', '', b''
        UNION ALL SELECT 3, NULL, NULL, NULL
        UNION ALL SELECT 4, 'Größe µ', 'ö', b'\xff\x00'
        UNION ALL SELECT 5, '  padded\t', ' ', b'  '
        UNION ALL SELECT 6, 'a_b%c\\d', '%', b'%'
        UNION ALL SELECT 7, '日本語テキスト', '本', b'\xe6\x97\xa5'
        UNION ALL SELECT 8, 'banana', 'an', b'an'
        UNION ALL SELECT 9, "it's \"quoted\"", "'", b'"'
        UNION ALL SELECT 10, '-12.50', '12', b'1'"""
    ),
    TableName("d", "times"): (
        """
        SELECT 1 AS id, DATE '2024-02-29' AS d, DATETIME '2024-02-29 13:14:15.678901' AS dt,
          TIMESTAMP '2024-02-29 23:30:00.5+00' AS ts, TIME '13:14:15.678901' AS t
        UNION ALL SELECT 2, DATE '1969-12-31', DATETIME '1969-12-31 23:59:59',
          TIMESTAMP '1969-12-31 23:59:59.999999+00', TIME '00:00:00'
        UNION ALL SELECT 3, NULL, NULL, NULL, NULL
        UNION ALL SELECT 4, DATE '2023-12-31', DATETIME '2023-12-31 00:00:00',
          TIMESTAMP '2023-12-31 00:00:00+00', TIME '23:59:59.999999'
        UNION ALL SELECT 5, DATE '2024-01-01', DATETIME '2024-01-01 00:00:00.000001',
          TIMESTAMP '2024-03-10 07:30:00+00', TIME '12:00:00'
        UNION ALL SELECT 6, DATE '0001-01-01', DATETIME '0001-01-01 00:00:00',
          TIMESTAMP '0001-01-01 00:00:00+00', TIME '06:30:00'
        UNION ALL SELECT 7, DATE '9999-12-31', DATETIME '9999-12-31 23:59:59.999999',
          TIMESTAMP '9999-12-31 23:59:59.999999+00', TIME '18:45:30.25'"""
    ),
    TableName("d", "orders"): (
        """
        SELECT 1 AS id, 1 AS customer_id, DATE '2024-01-05' AS day, NUMERIC '19.99' AS amount, 'paid' AS status,
          ['new', 'gift'] AS tags,
          [STRUCT(101 AS sku, 2 AS qty, 5.0 AS price), STRUCT(102, 1, 9.99)] AS lines
        UNION ALL SELECT 2, 1, DATE '2024-01-20', NUMERIC '5.00', 'open', ['gift'], [STRUCT(101, 1, 5.0)]
        UNION ALL SELECT 3, 2, DATE '2024-02-01', NUMERIC '100', 'paid', [], [STRUCT(103, 10, 10.0),
          STRUCT(101, 3, 4.5), STRUCT(104, 1, 0.0)]
        UNION ALL SELECT 4, 3, DATE '2024-02-14', NULL, 'cancelled', ['late', 'gift', 'late'], []
        UNION ALL SELECT 5, NULL, DATE '2024-02-14', NUMERIC '7.25', 'paid', ['new'], [STRUCT(105, 1, 7.25)]
        UNION ALL SELECT 6, 2, NULL, NUMERIC '0.01', NULL, [], [STRUCT(102, 1, 0.01)]
        UNION ALL SELECT 7, 9, DATE '2024-03-01', NUMERIC '42', 'open', ['b2b'], []"""
    ),
    TableName("d", "customers"): (
        """
        SELECT 1 AS id, 'Ada' AS name, 'Paris' AS city, STRUCT('1 rue A' AS street, '75001' AS zip) AS address
        UNION ALL SELECT 2, 'Bob', 'Berlin', STRUCT('B-Str. 2', NULL)
        UNION ALL SELECT 3, 'Cyd', NULL, NULL
        UNION ALL SELECT 4, 'Dan', 'Paris', STRUCT('4 rue D', '75004')"""
    ),
    TableName("d", "docs"): (
        r"""
        SELECT 1 AS id, JSON '{"a": 1, "b": "x", "c": [1, 2, {"d": null}], "e": {"f": true}}' AS j,
          '{"a": 1, "b": "x", "c": [1, 2, {"d": null}], "e": {"f": true}, "g.h": 2.5}' AS s
        UNION ALL SELECT 2, JSON '[1, "two", null, 3.5]', '[1, "two", null, 3.5]'
        UNION ALL SELECT 3, NULL, NULL
        UNION ALL SELECT 4, JSON '"text"', '"te\\"xt"'
        UNION ALL SELECT 5, JSON 'null', 'null'
        UNION ALL SELECT 6, JSON '{"a": "7", "b": 2.5, "c": []}', 'not json'"""
    ),
    TableName("d", "events"): (
        """
        SELECT day AS event_date, second * 1000000 AS event_timestamp, name AS event_name, user AS user_pseudo_id,
          ARRAY(SELECT AS STRUCT key, STRUCT(s AS string_value, i AS int_value, d AS double_value) AS value
            FROM UNNEST([STRUCT('ga_session_id' AS key, CAST(NULL AS STRING) AS s, session AS i,
              CAST(NULL AS FLOAT64) AS d),
              ('page_location', page, NULL, NULL), ('page_title', title, NULL, NULL), ('value', NULL, NULL, revenue),
              ('engagement_time_msec', NULL, engaged, NULL)]) WITH OFFSET AS place
            WHERE s IS NOT NULL OR i IS NOT NULL OR d IS NOT NULL ORDER BY place) AS event_params,
          STRUCT(device AS category, STRUCT(browser AS browser) AS web_info) AS device,
          STRUCT(country AS country, city AS city) AS geo, STRUCT(source AS source, medium AS medium) AS traffic_source,
          STRUCT(revenue AS purchase_revenue,
            IF(revenue IS NULL, NULL, CONCAT('t', user)) AS transaction_id) AS ecommerce,
          ARRAY(SELECT AS STRUCT item AS item_id, IF(item = 'i1', 'Pen', 'Ink') AS item_name,
            IF(item = 'i1', 2.5, 7.25) AS price, IF(item = 'i1', 2, 3) AS quantity
            FROM UNNEST(items) AS item WITH OFFSET AS place ORDER BY place) AS items
        FROM UNNEST(ARRAY<STRUCT<day STRING, second INT64, name STRING, user STRING, session INT64, page STRING,
          title STRING, engaged INT64, revenue FLOAT64, device STRING, browser STRING, country STRING, city STRING,
          source STRING, medium STRING, items ARRAY<STRING>>>[
          ('20240101', 1704103200, 'session_start', 'u1', 11, 'https://x.com/a?utm_source=g', NULL, NULL, NULL,
            'mobile',
            'Chrome', 'FR', 'Paris', 'google', 'organic', []),
          ('20240101', 1704103260, 'page_view', 'u1', 11, 'https://x.com/a?utm_source=g', 'A', 1500, NULL, 'mobile',
            'Chrome', 'FR', 'Paris', 'google', 'organic', []),
          ('20240101', 1704103320, 'add_to_cart', 'u1', 11, 'https://x.com/p/1', NULL, 700, NULL, 'mobile',
            'Chrome', 'FR', 'Paris', 'google', 'organic', ['i1', 'i2']),
          ('20240101', 1704103400, 'purchase', 'u1', 11, 'https://x.com/ok', NULL, NULL, 26.75, 'mobile',
            'Chrome', 'FR', 'Paris', 'google', 'organic', ['i1', 'i2']),
          ('20240102', 1704189600, 'page_view', 'u2', 21, 'https://x.com/', 'Home', NULL, NULL, 'desktop',
            'Firefox', 'DE', 'Berlin', NULL, NULL, []),
          ('20240102', 1704189700, 'page_view', 'u2', 21, 'https://x.com/a', 'A', 3000, NULL, 'desktop',
            'Firefox', 'DE', 'Berlin', NULL, NULL, []),
          ('20240103', 1704276000, 'page_view', 'u1', 12, 'https://x.com/a', 'A', NULL, NULL, 'desktop',
            'Chrome', 'FR', NULL, 'newsletter', 'email', []),
          ('20240103', 1704276060, 'add_to_cart', 'u2', 22, NULL, NULL, NULL, NULL, 'desktop',
            'Firefox', 'DE', 'Berlin', NULL, NULL, ['i2']),
          ('20240109', 1704794400, 'purchase', 'u2', 23, NULL, NULL, NULL, 21.75, 'tablet',
            NULL, 'DE', 'Berlin', 'google', 'cpc', ['i2']),
          ('20240110', 1704880800, 'page_view', 'u3', NULL, NULL, NULL, NULL, NULL, 'mobile',
            'Safari', NULL, NULL, NULL, NULL, [])])"""
    ),
    TableName("d", "empty"): (
        """
        SELECT * FROM (SELECT 1 AS i, 'x' AS s, 1.5 AS f, [1] AS a, DATE '2024-01-01' AS d) WHERE FALSE"""
    ),
}

_TYPES = {
    "d.one": {
        "i": "INT64",
        "f": "FLOAT64",
        "n": "NUMERIC",
        "s": "STRING",
        "b": "BYTES",
        "bo": "BOOL",
        "d": "DATE",
        "dt": "DATETIME",
        "ts": "TIMESTAMP",
        "t": "TIME",
        "ai": "ARRAY<INT64>",
        "af": "ARRAY<FLOAT64>",
        "st": "STRUCT<x INT64, y STRING>",
        "j": "JSON",
        "texts": "ARRAY<STRING>",
        "i2": "INT64",
        "ni": "INT64",
        "ns": "STRING",
        "na": "ARRAY<INT64>",
    },
    "d.numbers": {"id": "INT64", "i": "INT64", "f": "FLOAT64", "n": "NUMERIC", "b": "BOOL", "k": "INT64"},
    "d.texts": {"id": "INT64", "s": "STRING", "t": "STRING", "raw": "BYTES"},
    "d.times": {"id": "INT64", "d": "DATE", "dt": "DATETIME", "ts": "TIMESTAMP", "t": "TIME"},
    "d.orders": {
        "id": "INT64",
        "customer_id": "INT64",
        "day": "DATE",
        "amount": "NUMERIC",
        "status": "STRING",
        "tags": "ARRAY<STRING>",
        "lines": "ARRAY<STRUCT<sku INT64, qty INT64, price FLOAT64>>",
    },
    "d.customers": {"id": "INT64", "name": "STRING", "city": "STRING", "address": "STRUCT<street STRING, zip STRING>"},
    "d.docs": {"id": "INT64", "j": "JSON", "s": "STRING"},
    "d.events": {
        "event_date": "STRING",
        "event_timestamp": "INT64",
        "event_name": "STRING",
        "user_pseudo_id": "STRING",
        "event_params": "ARRAY<STRUCT<key STRING, value STRUCT<string_value STRING, int_value INT64,"
        " double_value FLOAT64>>>",
        "device": "STRUCT<category STRING, web_info STRUCT<browser STRING>>",
        "geo": "STRUCT<country STRING, city STRING>",
        "traffic_source": "STRUCT<source STRING, medium STRING>",
        "ecommerce": "STRUCT<purchase_revenue FLOAT64, transaction_id STRING>",
        "items": "ARRAY<STRUCT<item_id STRING, item_name STRING, price FLOAT64, quantity INT64>>",
    },
    "d.empty": {"i": "INT64", "s": "STRING", "f": "FLOAT64", "a": "ARRAY<INT64>", "d": "DATE"},
}
TABLE_COLUMNS = {
    TableName.parse(table): tuple(Column(name, parse_type(kind)) for name, kind in columns.items())
    for table, columns in _TYPES.items()
}
