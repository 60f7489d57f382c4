# Two commands on a fresh Debian with Rust, a C compiler and Python 3:  make run  and  make test.
# What else is missing is installed by apt (as root or with sudo), from PyPI into .waypost/, and by cargo.

PROFILE ?= release
MODEL_PORT ?= 8091
FUZZ_SECONDS ?= 60

W := .waypost
S := config/quickstart
PYTHON := $(W)/venv/bin/python
ONNXRUNTIME := $(W)/lib/libonnxruntime.so
MODEL := $(W)/models/smollm2-135m-instruct-q4_1.gguf
SCRIPTED := $(W)/models/scripted.gguf
NODE_MODULES := tests/sdk/vercel/node_modules/.package-lock.json
# CARGO_TARGET_DIR, .cargo/config.toml and the default, as cargo itself decides.
TARGET = $(eval TARGET := $$(shell cargo metadata --format-version 1 --no-deps --offline | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])'))$(TARGET)
BUILT = $(TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
BIN = $(BUILT)/waypost

export MODEL_PORT

.DELETE_ON_ERROR:
.PHONY: help run demo test drill fuzz bench bench-decide train build lint check deny onnxruntime model python-run python-test node-test tools-build

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s%s\n", $$1, $$2 }'

run: build model python-run ## the gateway with a real model of your own behind it; Ctrl-C ends both
	@WAYPOST_BIN="$(BIN)" exec $(S)/run.sh

demo: build model python-run ## over 70 prompts of every kind through the gateway, and what became of each
	@WAYPOST_BIN="$(BIN)" python3 benches/demo/demo.py $(DEMO)

build: tools-build onnxruntime ## the binary, with ONNX Runtime beside it (PROFILE=dev builds quicker)
	cargo build --locked --bins --profile $(PROFILE)
	@$(S)/beside.sh $(ONNXRUNTIME) "$(BUILT)"

test: tools-build onnxruntime python-test node-test $(SCRIPTED) ## every test, with real llama.cpp, clients, Redis and Prometheus
	@$(S)/need.sh redis-server prometheus
	@$(S)/beside.sh $(ONNXRUNTIME) "$(TARGET)/debug" "$(TARGET)/debug/deps"
	WAYPOST_TEST_PYTHON="$(abspath $(PYTHON))" WAYPOST_TEST_GGUF="$(abspath $(SCRIPTED))" \
	ORT_DYLIB_PATH="$(abspath $(ONNXRUNTIME))" tests/run.sh $(TEST)

# The fuzzer's compiler flags are unstable ones, which the stable compiler takes under RUSTC_BOOTSTRAP. Every dependency
# is the gateway's own version. There is no unsafe code to watch, so no sanitizer either.
fuzz: ## every reader of outside bytes for FUZZ_SECONDS=60 each (FUZZ="chat_stream json": only these)
	@$(S)/need.sh cc:gcc c++:g++ python3
	@cargo fuzz --version >/dev/null 2>&1 || env -u CARGO_TARGET_DIR cargo install cargo-fuzz --version 0.13.2 --locked --quiet
	cp Cargo.lock fuzz/Cargo.lock
	python3 fuzz/corpus.py tests/fixtures fuzz/corpus
	@for reader in $(or $(FUZZ),$$(cargo fuzz list)); do \
	  RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none $$reader -- -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
	    -max_len=16384 -dict=fuzz/words.txt -print_final_stats=1 || exit 1; done

# Not incremental: that would build the measured code in other units than a release has.
bench: tools-build onnxruntime ## the gateway beside a bare Pingora proxy and nginx (BENCH=--short: 3 minutes)
	@$(S)/need.sh wrk nginx:nginx-light
	CARGO_INCREMENTAL=0 cargo build --locked --release --bins --example bare_proxy --example score_alone
	@$(S)/beside.sh $(ONNXRUNTIME) "$(TARGET)/release"
	python3 benches/gateway/run.py --binaries "$(TARGET)/release" $(BENCH)

bench-decide: tools-build onnxruntime ## what rules and choice cost over 50 targets and 30 rules, beside decoding a request
	ORT_DYLIB_PATH="$(abspath $(ONNXRUNTIME))" cargo bench --locked --bench decide -- $(DECIDE)

drill: build ## 5,000 requests among faults in network namespaces; packets to where none may go are counted (DRILL="--requests 1000")
	@$(S)/need.sh ip:iproute2 nft:nftables unshare:util-linux redis-server
	python3 tests/drill/run.py --binary "$(BIN)" $(DRILL)

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
node-test: $(NODE_MODULES)

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

# Node.js is a wheel among the tests' requirements, for Debian's is too old for today's packages.
$(NODE_MODULES): tests/sdk/vercel/package-lock.json | $(W)/venv/.test
	PATH="$(abspath $(W)/venv/bin):$$PATH" npm ci --prefix $(<D) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(ONNXRUNTIME): $(S)/onnxruntime.txt | $(PYTHON)
	$(PYTHON) $(S)/fetch.py $< 'onnxruntime/capi/libonnxruntime.so.*' $@

$(MODEL): $(S)/model.txt | $(PYTHON)
	$(PYTHON) $(S)/fetch.py $< '*.gguf' $@

$(SCRIPTED): tests/upstreams/scripted_gguf.py tests/upstreams/script.jinja $(W)/venv/.test
	@mkdir -p $(@D)
	$(PYTHON) tests/upstreams/scripted_gguf.py $@ tests/upstreams/script.jinja
