# syntax=docker/dockerfile:1
# One image for the API (the default command), for a worker, for Prefect's server and for a single refresh:
#   docker run IMAGE                                        the API, on $PORT
#   docker run IMAGE prefect worker start --pool POOL       a worker
#   docker run IMAGE prefect server start --host 0.0.0.0    Prefect's server
#   docker run IMAGE refresh build                          one refresh, without a server
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS dependencies
# uv trusts what the system trusts, for images that are built behind a proxy that makes its own certificates.
ENV UV_SYSTEM_CERTS="1"
WORKDIR /app
COPY requirements-uv.txt requirements.txt ./
RUN python -m venv .venv \
    && python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-uv.txt \
    && uv pip sync --no-cache --python .venv/bin/python --require-hashes --compile-bytecode requirements.txt

FROM python:${PYTHON}-slim-bookworm
ARG GIT_COMMIT=""
ARG VERSION="0.1.0"
LABEL org.opencontainers.image.title="warehouse-refresh" \
      org.opencontainers.image.description="Runs a company's SQL scripts in the right order, in parallel, through Prefect" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${GIT_COMMIT}"
ENV PATH="/app/.venv/bin:${PATH}" \
    PYTHONPATH="/app" \
    PYTHONUNBUFFERED="1" \
    GIT_COMMIT="${GIT_COMMIT}" \
    PREFECT_HOME="/home/refresh/.prefect" \
    WAREHOUSE_URL="duckdb:////data/warehouse.duckdb" \
    API_HOST="0.0.0.0" \
    PORT="8080"
WORKDIR /app
RUN groupadd --gid 10001 refresh \
    && useradd --uid 10001 --gid refresh --create-home refresh \
    && install --directory --owner=refresh --group=refresh /data /home/refresh/.prefect \
    && printf '#!/bin/sh\nexec python -m warehouse_refresh.commands.main "$@"\n' > /usr/local/bin/refresh \
    && chmod 755 /usr/local/bin/refresh
COPY --from=dependencies /app/.venv .venv
COPY pyproject.toml prefect.toml prefect.yaml ./
COPY db_init db_init
COPY res res
COPY warehouse_refresh warehouse_refresh
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/health/live\", timeout=4)"]
CMD ["sh", "-c", "API_PORT=\"${PORT}\" exec python -m warehouse_refresh.api"]
