"""Named sections of figures from a store; the command, pages and reports show the same ones."""
