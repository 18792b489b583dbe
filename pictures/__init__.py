"""Pictures of tables and products: what is shown, chosen and drawn."""
