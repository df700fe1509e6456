"""Unit tests of scripts: reading their files, running them over given rows, and comparing what comes."""
