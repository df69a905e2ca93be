"""Views of the search stream: ANNECS (Enhanced POET, Wang et al. 2020), lineage and coverage, as SQL over the journal.

The same queries stand in ``journal.db`` as views of these names, for anything that reads SQLite.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

ANNECS = """
WITH admissions AS (
  SELECT json_extract(data, '$.env') AS env, MIN(iteration) AS iteration,
         json_extract(data, '$.archive_passed') AS archive_passed,
         COALESCE(json_extract(data, '$.solved_at_birth'), 0) AS at_birth
  FROM search WHERE type = 'admitted' GROUP BY env HAVING MIN(iteration) > 0
), solves AS (
  SELECT json_extract(data, '$.env') AS env, MIN(iteration) AS iteration,
         MAX(COALESCE(json_extract(data, '$.at_birth'), 0)) AS at_birth
  FROM search WHERE type = 'solved' GROUP BY env
), fates AS (
  SELECT a.archive_passed, a.at_birth OR COALESCE(s.at_birth, 0) AS at_birth,
         CASE WHEN a.at_birth OR s.at_birth THEN a.iteration ELSE s.iteration END AS iteration
  FROM admissions AS a LEFT JOIN solves AS s ON s.env = a.env AND s.iteration >= a.iteration
), counts AS (
  SELECT iteration, SUM(NOT at_birth) AS active, SUM(at_birth) AS at_birth,
         SUM(NOT at_birth AND COALESCE(archive_passed, 0)) AS archived
  FROM fates WHERE iteration IS NOT NULL GROUP BY iteration
)
SELECT i.iteration,
       SUM(COALESCE(c.active, 0)) OVER (ORDER BY i.iteration) AS annecs_active,
       CASE WHEN EXISTS (SELECT 1 FROM admissions WHERE archive_passed IS NOT NULL)
            THEN SUM(COALESCE(c.archived, 0)) OVER (ORDER BY i.iteration) END AS annecs,
       SUM(COALESCE(c.at_birth, 0)) OVER (ORDER BY i.iteration) AS solved_at_birth
FROM iterations AS i LEFT JOIN counts AS c ON c.iteration = i.iteration ORDER BY i.iteration
"""

LINEAGE = """
SELECT s.iteration, 'environment' AS role, json_extract(s.data, '$.env') AS child, p.value AS parent,
       json_extract(s.data, '$.operator') AS operator
FROM search AS s, json_each(s.data, '$.parents') AS p WHERE s.type = 'born' AND p.value >= 0
UNION
SELECT s.iteration, 'agent', json_extract(s.data, '$.agent'), json_extract(s.data, '$.from'), json_extract(s.data, '$.operator')
FROM search AS s WHERE s.type = 'transferred' AND json_extract(s.data, '$.accepted') AND json_extract(s.data, '$.from') >= 0
UNION
SELECT a.iteration, 'agent', json_extract(a.data, '$.agent'), p.value, json_extract(b.data, '$.operator')
FROM search AS a JOIN search AS b ON b.type = 'born' AND json_extract(b.data, '$.env') = json_extract(a.data, '$.env'),
     json_each(COALESCE(json_extract(a.data, '$.agent_parents'), json_extract(b.data, '$.agent_parents'))) AS p
WHERE a.type = 'admitted' AND p.value >= 0
ORDER BY 1, 2, 3, 4
"""

COVERAGE = """
WITH first_seen AS (
  SELECT json_extract(data, '$.niche') AS niche, MIN(iteration) AS iteration FROM search WHERE type = 'admitted' GROUP BY niche
), opened AS (
  SELECT iteration, COUNT(*) AS niches FROM first_seen GROUP BY iteration
), admitted AS (
  SELECT iteration, COUNT(*) AS environments FROM search WHERE type = 'admitted' GROUP BY iteration
)
SELECT i.iteration, SUM(COALESCE(o.niches, 0)) OVER (ORDER BY i.iteration) AS niches,
       SUM(COALESCE(a.environments, 0)) OVER (ORDER BY i.iteration) AS environments
FROM iterations AS i LEFT JOIN opened AS o ON o.iteration = i.iteration LEFT JOIN admitted AS a ON a.iteration = i.iteration
ORDER BY i.iteration
"""

# Of the latest stretch that told any: one that has just begun has told none yet.
STANDINGS = """
WITH told AS (
  SELECT id, data, json_extract(data, '$.pillar') AS pillar, json_extract(data, '$.plugin') AS plugin
  FROM operations WHERE type = 'standing' AND id > (
    SELECT COALESCE(MAX(id), 0) FROM operations WHERE type IN ('start', 'resume')
    AND id < (SELECT MAX(id) FROM operations WHERE type = 'standing')
  )
), latest AS (SELECT MIN(id) AS first, MAX(id) AS id FROM told GROUP BY pillar, plugin)
SELECT told.data FROM latest JOIN told ON told.id = latest.id ORDER BY latest.first
"""

VIEWS = {"annecs": ANNECS, "lineage": LINEAGE, "coverage": COVERAGE}


def table(rows: list[dict[str, Any]], first: tuple[str, ...]) -> pd.DataFrame:
    """Rows with unlike keys as one flat table, ``first`` in front, the others as they turn up.

    Columns of whole numbers stay whole where some are missing, so that 64-bit keys keep all their digits.
    """
    import pandas as pd

    columns = dict.fromkeys([*first, *(key for row in rows for key in row)])
    return pd.DataFrame({name: _column([row.get(name) for row in rows]) for name in columns})


def _column(values: list[Any]) -> pd.Series[Any]:
    import pandas as pd

    present = [value for value in values if value is not None]
    if present and all(isinstance(value, int) and not isinstance(value, bool) for value in present):
        return pd.Series(values, dtype="int64" if len(present) == len(values) else "Int64")
    if present and all(_number(value) for value in present):
        return pd.Series([math.nan if value is None else float(value) for value in values], dtype="float64")
    return pd.Series(values, dtype=None if len(present) == len(values) and present else "object")


def _number(value: Any) -> bool:
    return (isinstance(value, (int, float)) and not isinstance(value, bool)) or (
        isinstance(value, str) and value in ("Infinity", "-Infinity")
    )
