"""Where SQL runs: one protocol, two engines. Knows nothing of Prefect, HTTP or res/."""
