"""The dashboard: pages that look at the store and ask for nothing that a command could not do.

``frame`` is what all of them stand in, each other module is a page. Figures come from storage,
products and analysis; what is drawn is a ``pictures.picture.Picture``. No page has a formula or a
unit of its own.
"""

from __future__ import annotations


def show() -> None:
    """Draw the page that the address names."""
    import streamlit as st

    from dashboard import data, explorer, frequency, markets, today, vpp, wind_solar
    from dashboard.frame import standing

    st.set_page_config(
        page_title="gridledger",
        page_icon="⚡",  # an icon by name would be fetched from a font server
        layout="wide",
        initial_sidebar_state="auto",
    )
    pages = [
        # The first page has the address without a path.
        st.Page(standing(today), title="Today", icon=":material/today:", default=True),
        st.Page(
            standing(frequency),
            title="Frequency & battery",
            url_path="frequency",
            icon=":material/battery_charging_full:",
        ),
        st.Page(
            standing(wind_solar),
            title="Wind & solar",
            url_path="wind-solar",
            icon=":material/wind_power:",
        ),
        st.Page(
            standing(markets), title="Markets", url_path="markets", icon=":material/monitoring:"
        ),
        st.Page(standing(vpp), title="VPP", url_path="vpp", icon=":material/hub:"),
        st.Page(
            standing(explorer), title="Explorer", url_path="explorer", icon=":material/table_view:"
        ),
        st.Page(standing(data), title="Data", url_path="data", icon=":material/database:"),
    ]
    st.navigation(pages).run()
