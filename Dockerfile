# Two stages: the first builds a virtual environment from the lock file, the second holds only what runs.
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md ./
RUN python -m venv /opt/gateway \
 && /opt/gateway/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY gateway gateway
COPY schemas schemas
COPY mappings mappings
COPY samples samples
# --no-build-isolation: the build back end is in the lock file, so nothing is fetched without a hash.
RUN /opt/gateway/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

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
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
CMD ["gateway", "serve"]
