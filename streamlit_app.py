"""Entry of the dashboard: ``python3 run.py dashboard``, or ``streamlit run streamlit_app.py``."""

import dashboard

dashboard.show()
