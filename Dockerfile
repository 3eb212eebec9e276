FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=development
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/sluice ./cmd/sluice \
 && mkdir -p /out/state

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/sluice /sluice
COPY --from=build --chown=65532:65532 /out/state /var/lib/sluice
USER 65532:65532
VOLUME /var/lib/sluice
EXPOSE 80 443
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s CMD ["/sluice", "healthcheck", "-c", "/etc/sluice/sluice.yaml"]
ENTRYPOINT ["/sluice"]
CMD ["serve", "-c", "/etc/sluice/sluice.yaml"]
