#!/bin/sh
# The quickstart: one's own model on this machine, and the gateway in front of it. `make run` builds what it needs.
#
#   WAYPOST_BIN        the gateway's binary
#   WAYPOST_MODEL_URL  an OpenAI-compatible server that runs already, to be used instead of SmolLM2
#   MODEL_PORT         where SmolLM2 listens, 8091 if unset
#   WAYPOST_CONFIG     a configuration of one's own, instead of the choice below
set -eu
cd "$(dirname "$0")/../.."

here=config/quickstart
files=${WAYPOST_DIR:-.waypost}
python=$files/venv/bin/python
model=$files/models/smollm2-135m-instruct-q4_1.gguf
port=${MODEL_PORT:-8091}
bin=${WAYPOST_BIN:-${CARGO_TARGET_DIR:-target}/release/waypost}

for file in "$bin" "$python" "$model"; do
    [ -e "$file" ] || { echo "$file is not there: run it through \`make run\`" >&2; exit 1; }
done

# The paid side is the first provider whose key is in the environment; without one it is scripted, and says so.
if [ -n "${WAYPOST_CONFIG:-}" ]; then config=$WAYPOST_CONFIG paid="as configured"
elif [ -n "${OPENAI_API_KEY:-}" ]; then config=$here/openai.yaml paid="OpenAI, with OPENAI_API_KEY"
elif [ -n "${MISTRAL_API_KEY:-}" ]; then config=$here/mistral.yaml paid="Mistral, with MISTRAL_API_KEY"
elif [ -n "${DEEPSEEK_API_KEY:-}" ]; then config=$here/deepseek.yaml paid="DeepSeek, with DEEPSEEK_API_KEY"
elif [ -n "${GROQ_API_KEY:-}" ]; then config=$here/groq.yaml paid="Groq, with GROQ_API_KEY"
elif [ -n "${OPENROUTER_API_KEY:-}" ]; then config=$here/openrouter.yaml paid="OpenRouter, with OPENROUTER_API_KEY"
elif [ -n "${XAI_API_KEY:-}" ]; then config=$here/xai.yaml paid="xAI, with XAI_API_KEY"
else config=config/quickstart.yaml paid="scripted, at real list prices (no provider key in the environment)"
fi

if [ -n "${WAYPOST_MODEL_URL:-}" ]; then
    echo "own model   $WAYPOST_MODEL_URL (WAYPOST_MODEL_URL)"
else
    export WAYPOST_MODEL_URL="http://127.0.0.1:$port"
    if "$python" $here/serve_model.py wait --port "$port" --seconds 0; then
        echo "own model   SmolLM2-135M-Instruct at $WAYPOST_MODEL_URL (was running already)"
    else
        log=$files/model.log
        # It leaves when this process does, which becomes the gateway below: Ctrl-C ends both.
        "$python" $here/serve_model.py serve "$model" --port "$port" --alias smollm2-135m-instruct --log "$log" &
        if ! "$python" $here/serve_model.py wait --port "$port" --seconds 120 --pid $!; then
            echo "the model server did not start; the end of $log:" >&2
            tail -n 20 "$log" >&2
            exit 1
        fi
        echo "own model   SmolLM2-135M-Instruct at $WAYPOST_MODEL_URL, by llama.cpp (log: $log)"
    fi
fi
echo "paid side   $paid"
echo "config      $config"
echo
exec "$bin" serve --config "$config"
