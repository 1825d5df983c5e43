#!/usr/bin/env bash
# Parity, speed and quality of the GPU backends, in one call of at most eight minutes, no network.
#   PYTHON   interpreter that has torch with CUDA (default: .venv/bin/python, else python3)
#   DRIVES   folder of a clip (`otherlane import`), for the seconds to 25 dB
#   OUT      folder for gpu.md and gpu.json (default: .)
# Exit code 2: there is no CUDA device here.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${PYTHON:-}" ]; then
  PYTHON=python3
  if [ -x .venv/bin/python ]; then PYTHON=.venv/bin/python; fi
fi
mkdir -p "${OUT:=.}"
export OUT PYTHONUNBUFFERED=1
exec timeout 480 "$PYTHON" -m benchmarks.gpu --limit-s 450
