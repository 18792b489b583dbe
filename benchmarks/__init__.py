"""What is measured and against what: ``bench`` (``daily_job``) and the questions behind decisions.

A *floor* is the least that a stage can cost with the libraries we use: the same input and output
and nothing else of the stage (no checks, no ledger, no history). What we pay above it is the price
of those. Machines differ and are noisy, so only ratios from one run are worth comparing.
"""
