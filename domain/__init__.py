"""Electricity without input or output: time, tables, the ledger's judgement, response curves."""
