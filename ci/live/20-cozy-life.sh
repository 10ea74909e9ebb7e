#!/usr/bin/env bash
# The cozy stack through its life on a real engine: see examples/cozy/life.
exec "$(dirname "$0")/../../examples/cozy/life/run"
