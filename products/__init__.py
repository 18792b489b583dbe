"""One module per figure; here they are gathered, inputs before what is made of them."""

from products import (
    asset_forecast,
    average_power,
    battery_power,
    battery_response,
    best_of_infeed,
    frequency_events,
    frequency_histogram,
    frequency_quality,
    generation_forecast,
    half_hourly_averages,
    imbalance_cost,
    invoices,
    performance_daily,
    performance_report,
    portfolio_best_of_infeed,
    portfolio_forecast,
    portfolio_imbalance_cost,
    trading,
    trading_daily,
    wind_solar_summary,
)
from products.product import Product

PRODUCTS: tuple[Product, ...] = (
    average_power.PRODUCT,
    battery_power.PRODUCT,
    battery_response.PRODUCT,
    frequency_quality.PRODUCT,
    frequency_events.PRODUCT,
    frequency_histogram.PRODUCT,
    wind_solar_summary.PRODUCT,
    half_hourly_averages.PRODUCT,
    generation_forecast.PRODUCT,
    best_of_infeed.PRODUCT,
    portfolio_best_of_infeed.PRODUCT,
    asset_forecast.PRODUCT,
    portfolio_forecast.PRODUCT,
    trading.PRODUCT,
    trading_daily.PRODUCT,
    imbalance_cost.PRODUCT,
    portfolio_imbalance_cost.PRODUCT,
    invoices.PRODUCT,
    performance_daily.PRODUCT,
    performance_report.PRODUCT,
)
BY_KEY = {product.key: product for product in PRODUCTS}
