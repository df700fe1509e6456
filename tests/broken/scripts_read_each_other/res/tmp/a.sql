SELECT id FROM `tmp.b`
