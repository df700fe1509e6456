"""The option --var of commands that run or check scripts."""

from argparse import Namespace
from dataclasses import replace

from warehouse_refresh.pipeline.project.variables import given_as_text
from warehouse_refresh.pipeline.settings import RefreshSettings, of_environment, read_settings


def settings_of(options: Namespace) -> RefreshSettings:
    """The settings, with the values that `--var name=value` gives to variables. Raises SettingError."""
    settings = of_environment(read_settings(), getattr(options, "env", None))
    given = given_as_text(settings.variables, options.var)
    return replace(settings, variables={**settings.variables, **given})
