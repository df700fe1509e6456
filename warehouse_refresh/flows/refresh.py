"""The flow that the deployments of prefect.yaml run. Prefect imports it by this name, so the settings are read here."""

from warehouse_refresh.flows.flow import refresh_flow
from warehouse_refresh.pipeline.settings import read_settings

refresh = refresh_flow(read_settings())
