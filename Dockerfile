# syntax=docker/dockerfile:1
# One image for both services; docker-compose.yml says which one a container is.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/greenlight
WORKDIR /src
COPY requirements/runtime.txt requirements/runtime.txt
RUN /opt/greenlight/bin/pip install --require-hashes --requirement requirements/runtime.txt
COPY LICENSE pyproject.toml ./
COPY proto/gen proto/gen
COPY clients/python clients/python
COPY shared shared
COPY executor_svc executor_svc
COPY orchestrator_svc orchestrator_svc
RUN /opt/greenlight/bin/pip install --no-deps --no-build-isolation ./clients/python .

FROM python:3.11-slim
RUN groupadd --gid 10001 greenlight \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin greenlight \
    && install --directory --owner=10001 --group=10001 \
        /var/lib/greenlight /var/lib/greenlight_executor /var/lib/research_stock
COPY --from=build /opt/greenlight /opt/greenlight
COPY examples /app/examples
WORKDIR /app
ENV PATH=/opt/greenlight/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    GREENLIGHT_LISTEN=0.0.0.0:50051 \
    GREENLIGHT_DATA=/var/lib/greenlight \
    GREENLIGHT_EXECUTOR_LISTEN=0.0.0.0:50052 \
    GREENLIGHT_EXECUTOR_DATA=/var/lib/greenlight_executor
USER 10001:10001
EXPOSE 50051 50052
VOLUME ["/var/lib/greenlight", "/var/lib/greenlight_executor"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-m", "shared.runtime.check_health", "127.0.0.1:50051"]
CMD ["python", "-m", "orchestrator_svc"]
