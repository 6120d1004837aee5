#!/bin/sh
# Makes the locks of the project's own environments anew: with hashes, without addresses. Run by `make lock`.
set -eu
compile() {
    "$UV" pip compile --quiet --python-version 3.13 --generate-hashes --no-emit-index-url --upgrade \
        --custom-compile-command 'make lock' "$@"
}
compile pyproject.toml --output-file requirements/runtime.txt
compile pyproject.toml --extra parquet --group dev --output-file requirements/dev.txt
echo uv | compile - --output-file requirements/tools.txt
compile requirements/build.in --output-file requirements/build.txt
# What only the benchmarks need: the shape of the original, and plots.
printf '%s\n' boto3 flask matplotlib pyuwsgi | compile - --constraints requirements/runtime.txt --output-file requirements/bench.txt
