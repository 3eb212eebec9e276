# docker build --build-arg VERSION=1.0.0 -t sluice .
# The same source and base image make the same program, byte for byte. For an image of the
# same digest name the base images by digest, too, and set SOURCE_DATE_EPOCH.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=development
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /out/sluice ./cmd/sluice \
 && mkdir -p /out/state

# It brings the roots of public CAs, time zones for throttle windows, and no shell.
FROM gcr.io/distroless/static-debian12:nonroot
ARG VERSION=development
LABEL org.opencontainers.image.title="Sluice" \
      org.opencontainers.image.description="An S3-compatible gateway that moves an application from one object store to another with no downtime" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /src/LICENSE /usr/share/doc/sluice/LICENSE
COPY --from=build /out/sluice /usr/local/bin/sluice
COPY --from=build --chown=65532:65532 /out/state /var/lib/sluice
USER 65532:65532
VOLUME /var/lib/sluice
EXPOSE 80 443
# Whoever stops it waits for limits.drain and more: docker stop --time 130.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/usr/local/bin/sluice", "healthcheck", "-c", "/etc/sluice/sluice.yaml"]
ENTRYPOINT ["/usr/local/bin/sluice"]
CMD ["serve", "-c", "/etc/sluice/sluice.yaml"]
