# syntax=docker/dockerfile:1
#
# The image: Node, the bundle, nothing else. No shell, no package manager, no writable place; it runs as 1001:1001 with a
# read-only root. The release workflow gives both bases by digest and writes them into the image's labels
# (docs/release.md); the defaults are for builds at home.
ARG NODE_IMAGE=docker.io/library/node:26.10.0-bookworm-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

# JavaScript is the same on every platform, so it is bundled once, where the build runs.
FROM --platform=$BUILDPLATFORM ${NODE_IMAGE} AS bundle
WORKDIR /source
COPY package.json package-lock.json .npmrc ./
# No install script runs: the bundler brings its program as a package of the lock file.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY cmd cmd
COPY src src
RUN node cmd/build/main.ts

# Node for the platform that the image is for.
FROM ${NODE_IMAGE} AS node

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG NODE_IMAGE
ARG RUNTIME_IMAGE
LABEL org.opencontainers.image.title="zen-watcher" \
      org.opencontainers.image.description="Keeps one ZenAgentEvent per finding of a cluster's security tools." \
      org.opencontainers.image.source="https://github.com/kube-zen/zen-watcher" \
      org.opencontainers.image.documentation="https://github.com/kube-zen/zen-watcher/tree/main/docs" \
      org.opencontainers.image.vendor="kube-zen" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${RUNTIME_IMAGE}" \
      io.kube-zen.node.base="${NODE_IMAGE}"
COPY --from=node /usr/local/bin/node /usr/local/bin/node
# Node needs it, and the runtime image does not have it.
COPY --from=node /usr/lib/*-linux-gnu/libatomic.so.1 /usr/lib/
# Says that the bundle is of ES modules, and its version.
COPY --from=bundle /source/package.json /app/package.json
COPY --from=bundle /source/dist /app/dist
COPY LICENSE /app/LICENSE
ENV NODE_ENV=production
WORKDIR /app
EXPOSE 8080 8081
# A number: Kubernetes cannot tell whether a name is root.
USER 1001:1001
ENTRYPOINT ["/usr/local/bin/node", "/app/dist/zen-watcher.js"]
CMD ["run"]
