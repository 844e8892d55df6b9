# What CI runs.
check:
    .ci/run

# All tests, on real parts.
test *ARGS:
    ./maya test {{ARGS}}

fmt:
    cargo fmt --all
