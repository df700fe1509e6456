"""The flow that the deployments of prefect.yaml run. Prefect imports it by this name, so the settings are read here."""

from flows.flow import refresh_flow
from pipeline.settings import read_settings

refresh = refresh_flow(read_settings())
