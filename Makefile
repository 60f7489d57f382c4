# Two commands on a fresh Debian with Rust, a C compiler and Python 3:  make run  and  make test.
# What else is missing is installed by apt (as root or with sudo), from PyPI into .waypost/, and by cargo.

PROFILE ?= release
MODEL_PORT ?= 8091

W := .waypost
S := config/quickstart
PYTHON := $(W)/venv/bin/python
ONNXRUNTIME := $(W)/lib/libonnxruntime.so
MODEL := $(W)/models/smollm2-135m-instruct-q4_1.gguf
SCRIPTED := $(W)/models/scripted.gguf
# CARGO_TARGET_DIR, .cargo/config.toml and the default, as cargo itself decides.
TARGET = $(eval TARGET := $$(shell cargo metadata --format-version 1 --no-deps --offline | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])'))$(TARGET)
BUILT = $(TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
BIN = $(BUILT)/waypost

export MODEL_PORT

.DELETE_ON_ERROR:
.PHONY: help run demo test bench train build lint check deny onnxruntime model python-run python-test tools-build

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s%s\n", $$1, $$2 }'

run: build model python-run ## the gateway with a real model of your own behind it; Ctrl-C ends both
	@WAYPOST_BIN="$(BIN)" exec $(S)/run.sh

demo: build model python-run ## over 70 prompts of every kind through the gateway, and what became of each
	@WAYPOST_BIN="$(BIN)" python3 benches/demo/demo.py $(DEMO)

build: tools-build onnxruntime ## the binary, with ONNX Runtime beside it (PROFILE=dev builds quicker)
	cargo build --locked --bins --profile $(PROFILE)
	@$(S)/beside.sh $(ONNXRUNTIME) "$(BUILT)"

test: tools-build onnxruntime python-test $(SCRIPTED) ## every test, with real llama.cpp, Redis and Prometheus
	@$(S)/need.sh redis-server prometheus
	@$(S)/beside.sh $(ONNXRUNTIME) "$(TARGET)/debug" "$(TARGET)/debug/deps"
	WAYPOST_TEST_PYTHON="$(abspath $(PYTHON))" WAYPOST_TEST_GGUF="$(abspath $(SCRIPTED))" \
	ORT_DYLIB_PATH="$(abspath $(ONNXRUNTIME))" tests/run.sh $(TEST)

# Not incremental: that would build the measured code in other units than a release has.
bench: tools-build onnxruntime ## the gateway beside a bare Pingora proxy and nginx (BENCH=--short: 3 minutes)
	@$(S)/need.sh wrk nginx:nginx-light
	CARGO_INCREMENTAL=0 cargo build --locked --release --bins --example bare_proxy --example score_alone
	@$(S)/beside.sh $(ONNXRUNTIME) "$(TARGET)/release"
	python3 benches/gateway/run.py --binaries "$(TARGET)/release" $(BENCH)

train: ## the difficulty network again, from benches/training/data (DATA=DIR measures it and writes its card)
	benches/training/run.sh $(if $(DATA),--data "$(abspath $(DATA))")

lint: ## rustfmt and clippy, warnings are errors
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

check: lint build ## lint, and every shipped configuration and policy
	@for file in config/*.yaml $(S)/*.yaml; do echo "$(BIN) check --config $$file"; \
	  OPENAI_API_KEY=x MISTRAL_API_KEY=x DEEPSEEK_API_KEY=x GROQ_API_KEY=x OPENROUTER_API_KEY=x XAI_API_KEY=x \
	  "$(BIN)" check --config $$file || exit 1; done
	"$(BIN)" policy test policies

deny: ## licences, sources and, where they can be had, advisories of the dependencies
	@.ci/deny

onnxruntime: $(ONNXRUNTIME) ## fetch ONNX Runtime's library
model: $(MODEL) ## fetch SmolLM2-135M-Instruct, the open model of the quickstart
python-run: $(W)/venv/.run
python-test: $(W)/venv/.test

tools-build:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust, https://rustup.rs"; exit 1; }
	@$(S)/need.sh cc:gcc cmake make python3

# pip comes with the venv: Debian's own Python may have none.
$(PYTHON):
	@$(S)/need.sh python3 python3-venv
	python3 -m venv $(W)/venv

$(W)/venv/.run: $(S)/requirements.txt | $(PYTHON)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(W)/venv/.test: tests/requirements.txt $(W)/venv/.run
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(ONNXRUNTIME): $(S)/onnxruntime.txt | $(PYTHON)
	$(PYTHON) $(S)/fetch.py $< 'onnxruntime/capi/libonnxruntime.so.*' $@

$(MODEL): $(S)/model.txt | $(PYTHON)
	$(PYTHON) $(S)/fetch.py $< '*.gguf' $@

$(SCRIPTED): tests/upstreams/scripted_gguf.py tests/upstreams/script.jinja $(W)/venv/.test
	@mkdir -p $(@D)
	$(PYTHON) tests/upstreams/scripted_gguf.py $@ tests/upstreams/script.jinja
