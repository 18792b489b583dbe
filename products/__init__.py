"""One module per figure; here they are gathered, inputs before what is made of them."""

from products import (
    average_power,
    battery_power,
    best_of_infeed,
    half_hourly_averages,
    portfolio_best_of_infeed,
    wind_solar_summary,
)
from products.product import Product

PRODUCTS: tuple[Product, ...] = (
    average_power.PRODUCT,
    battery_power.PRODUCT,
    wind_solar_summary.PRODUCT,
    half_hourly_averages.PRODUCT,
    best_of_infeed.PRODUCT,
    portfolio_best_of_infeed.PRODUCT,
)
