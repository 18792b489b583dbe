"""The GB Carbon Intensity API over the synthetic grid: parameters in the path, answers in JSON.

model    the mix of Britain and its regions, forecasts and actual intensity
paths    which paths are read and what they mean
service  the service: puts these together, applies faults of rows, tells the truth
"""

from sandbox.carbon.service import CarbonIntensity

__all__ = ["CarbonIntensity"]
