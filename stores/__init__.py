"""Where rows, history and ledger live. ``storage.open_store`` chooses; nobody else imports these."""
