.DEFAULT_GOAL := help
.PHONY: help demo build test test-cluster test-needs lint generate fuzz bench
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
NPM := client console/board/charts outlet/couchdb
FUZZTIME ?= 30s
ARGS ?=

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s  %s\n", $$1, $$2}' Makefile

demo: build ## run Brine with simulated users and a dialog to click through; Ctrl-C ends it
	./bin/brine demo $(ARGS)

build: ## build bin/brine
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/brine ./cmd/brine

test: test-needs ## install what the tests need, and run them all (make lint has go vet)
	client/node_modules/.bin/tsc -p client
	client/node_modules/.bin/tsc -p console/board/charts
	@echo "client/dist/brine.js: $$(gzip -9nc client/dist/brine.js | wc -c) bytes gzipped"
	@# The longest first, and more side by side than there are processors, as many tests wait. A program with the race detector sleeps a second before it exits, unless told not to: the tests run hundreds.
	GORACE="atexit_sleep_ms=0 $${GORACE:-}" go test -race -vet=off -count=1 -timeout 20m -p 3 -parallel 4 ./e2e ./...

ROUNDS ?= 18

test-cluster: test-needs ## run three stores and six collectors in two places, under ROUNDS (18) faults: half an hour
	BRINE_ROUNDS=$(ROUNDS) go test -count=1 -v -timeout 2h -run '^TestCluster$$' ./e2e

lint: ## check format, code and go.mod
	$(call need,c++ g++ clang++,g++ libc6-dev)
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt -w these:"; echo "$$unformatted"; exit 1; }
	@if grep -rnE '\b(t|tb|b)\.Skip' --include='*_test.go' . | grep -vF 'skipped: ../shared'; then echo "a test fails, it does not skip; only ../shared may be missing"; exit 1; fi
	@# With -race as the tests, so that what they are made of is compiled once, not once more without.
	go vet -race ./...
	GOFLAGS="$$(go env GOFLAGS) -race" $$(go tool -n staticcheck) ./...
	go mod tidy -diff

generate: $(addsuffix /node_modules/.package-lock.json,$(NPM)) ## build anew what is committed and built from sources, like client/dist
	go generate ./...

# Go 1.26 may fail a target at the end of its time with "context deadline exceeded" and no finding (golang/go#75804, mended in 1.27): that
# passes, where it is all that is wrong. A finding always says "Failing input written to".
fuzz: ## fuzz every target for FUZZTIME (30s)
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package 2>&1 | tee "$$log" || \
				{ grep -qxF '    context deadline exceeded' "$$log" && ! grep -qE 'Failing input|panic:|_test\.go:' "$$log" && echo "no finding: the time was over"; }; \
		done; \
	done

bench: ## measure, and print one table with each figure's limit
	go run ./bench $(ARGS)

# Tests fail where something is missing, so it is installed first where apt-get can.
# RUNLEVEL=1 keeps Debian from starting what it installs: the tests run a slapd of their own.
# $(call need,commands of which one must be there,Debian package)
define need
	@for name in $(1); do if command -v $$name >/dev/null; then exit 0; fi; done; \
	sudo=; [ $$(id -u) = 0 ] || sudo=sudo; \
	if command -v apt-get >/dev/null && { [ -z "$$sudo" ] || command -v sudo >/dev/null; }; then \
		echo "installing $(2), which the tests need"; \
		$$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y --no-install-recommends $(2) && exit 0; \
	fi; \
	echo "The tests need one of: $(1). Install it (Debian's package is $(2)) and run make test again." >&2; exit 1
endef

test-needs:
	$(call need,c++ g++ clang++,g++ libc6-dev)
	$(call need,unshare,util-linux)
	$(call need,mount,mount)
	$(call need,ip /usr/sbin/ip /sbin/ip,iproute2)
	$(call need,node,nodejs)
	$(call need,npm,npm)
	$(MAKE) $(addsuffix /node_modules/.package-lock.json,$(NPM))
	$(call need,chromium chromium-browser google-chrome google-chrome-stable,chromium)
	$(call need,puppet,puppet-agent)
	$(call need,systemd-analyze,systemd)
	$(call need,systemd-sysusers,systemd)
	$(call need,promtool,prometheus)
	$(call need,nginx /usr/sbin/nginx,nginx-light)
	$(call need,slapd /usr/sbin/slapd,slapd)

# TypeScript checks types, Terser makes what go generate writes short, Plot draws the charts, axe-core looks at the pages and
# PouchDB Server is the CouchDB of a test;
# make build does without npm.
%/node_modules/.package-lock.json: %/package-lock.json
	npm ci --prefix $* --ignore-scripts --no-audit --no-fund
	@touch $@
