"""One module per figure; here they are gathered. A new product is one more line."""

from products import average_power, battery_power, wind_solar_summary
from products.product import Product

PRODUCTS: tuple[Product, ...] = (
    average_power.PRODUCT,
    battery_power.PRODUCT,
    wind_solar_summary.PRODUCT,
)
