# sr-keras on a CPU. The running container needs no network connection and no root:
#   docker build --build-arg VERSION=0.1.0 -t sr-keras .
#   docker run --rm --network none -u "$(id -u):$(id -g)" -v "$PWD:/data" sr-keras predict scan.nii.gz -o super_resolved.nii.gz
FROM python:3.11-slim AS build
ARG VERSION=0.1.0
WORKDIR /source
COPY . .
# There is no git history here that the version could come from.
RUN SETUPTOOLS_SCM_PRETEND_VERSION_FOR_SR_KERAS="${VERSION}" pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.11-slim
ARG VERSION=0.1.0
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links=/wheels "sr_keras==${VERSION}" \
    && useradd --create-home --uid 10001 sr-keras
# Timings of engines are kept here, whoever runs the container.
ENV XDG_CACHE_HOME=/tmp/cache
USER 10001
WORKDIR /data
ENTRYPOINT ["sr-keras"]
CMD ["--help"]
