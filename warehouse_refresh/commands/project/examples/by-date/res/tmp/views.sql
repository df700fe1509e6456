SELECT DATE(seen) AS day, page, COUNT(*) AS views
FROM `raw.events`
WHERE DATE(seen) >= @start AND DATE(seen) < @end
GROUP BY day, page
