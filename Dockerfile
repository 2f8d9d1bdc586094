# The images of the operator and the bot, for those who have a container engine:
#   docker build --target operator -t feedbackbridge-operator .
#   docker build --target bot -t feedbackbridge-bot .
# `make images` builds the same ones without an engine.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY main.go ./
COPY api api
COPY controllers controllers
COPY botruntime botruntime
ARG VERSION=dev
ENV CGO_ENABLED=0
RUN go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/feedbackbridge-operator . \
 && go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/feedbackbridge-bot ./botruntime

FROM scratch AS operator
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/feedbackbridge-operator /feedbackbridge-operator
USER 65532:65532
ENTRYPOINT ["/feedbackbridge-operator"]

FROM scratch AS bot
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/feedbackbridge-bot /feedbackbridge-bot
USER 65532:65532
ENTRYPOINT ["/feedbackbridge-bot"]
