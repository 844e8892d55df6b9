# What CI runs.
check:
    .ci/run

# All tests, on real parts.
test *ARGS:
    ./maya test {{ARGS}}

# With a language model on this machine: llama.cpp is built (minutes; cmake and libclang), the model fetched (478 MB).
local-llm *ARGS:
    cargo run --release --features local-llm -- fetch llm
    MAYA_LLM__KIND=local cargo run --release --features local-llm -- {{ARGS}}

# Its tests, on the real model.
test-local-llm:
    cargo run --quiet -p maya-embedded --bin maya-fetch -- llm
    cargo test -p maya-providers --features real-parts,local-llm --test it llm

fmt:
    cargo fmt --all

# How long builds take: a release build from clean, a debug build after a changed line of actors/.
build-times *ARGS:
    benches/build-times {{ARGS}}
