# gridledger as an image: `schedule` unless told otherwise. docs/deploy.md has the commands.
#   docker build --build-arg EXTRAS="postgres dask" -t gridledger .
FROM python:3.13-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1

# Libraries before code, so that a change of ours leaves this layer as it is. The launcher installs
# what is pinned and takes nothing whose hash it was not given.
WORKDIR /app
COPY run.py requirements.txt ./
COPY requirements requirements
ARG EXTRAS=""
# hadolint ignore=SC2086
RUN python run.py --install-deps $EXTRAS

COPY . .

# A user without rights, by number: Kubernetes asks for that, and a folder of the host can be given to it.
# /app/output is where `demo` writes.
RUN install --directory --owner 10001 --group 10001 /data /app/output
USER 10001:10001

# What differs from config.env comes from the environment.
ENV PATH=/app/.venv/bin:$PATH \
    OUTPUT_DIR=/data \
    STORE_URL=sqlite:////data/gridledger.db
VOLUME /data

# `schedule` writes to its log every hour, a job at every answer.
HEALTHCHECK --interval=5m --timeout=10s --start-period=2m \
    CMD ["sh", "-c", "find \"$OUTPUT_DIR/task_log.log\" -mmin -130 | grep -q ."]

ENTRYPOINT ["python", "main.py"]
CMD ["schedule"]
