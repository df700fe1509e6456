SELECT id FROM `tmp.a`
