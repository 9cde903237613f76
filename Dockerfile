# Two stages: the first builds a wheel and a virtual environment, the second holds only what runs.
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.lock requirements.runtime.lock ./
RUN python -m venv /opt/gateway \
 && /opt/gateway/bin/pip install --no-cache-dir --require-hashes -r requirements.runtime.lock
# The developers' lock file holds the build back end, so nothing is fetched without a hash; it stays in this stage.
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY gateway gateway
COPY schemas schemas
COPY mappings mappings
COPY samples samples
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /opt/wheel . \
 && /opt/gateway/bin/pip install --no-cache-dir --no-deps /opt/wheel/*.whl

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin gateway \
 && install -d -o gateway -g gateway -m 0750 /data
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GATEWAY_HTTP__HOST=0.0.0.0 \
    GATEWAY_HTTP__PORT=8080 \
    GATEWAY_STORE__URL=sqlite:////data/gateway.db \
    GATEWAY_STORE__PAYLOAD_FOLDER=/data/payloads \
    GATEWAY_STORE__ANCHOR_FILE=/data/anchor \
    GATEWAY_RECEIPTS__SIGNING_KEY_FILE=/data/signing.key
USER gateway
WORKDIR /data
VOLUME /data
EXPOSE 8080
# With the image's own settings: under TLS, and at whatever port, too.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["gateway", "ready"]
# A database of an earlier version, or an empty one, is brought to this version first; several nodes may do so at once.
CMD ["sh", "-c", "gateway migrate && exec gateway serve"]
