#!/usr/bin/env bash
# An environment with graph-tool beside bipnet's own: Debian's build needs NumPy < 2, and so
# Debian's own python3. `bipnet bench` finds it in .venv-graph-tool of the folder it is started
# in, or /usr/bin/python3 itself, or where BIPNET_GRAPH_TOOL_PYTHON points.
# Needs root for apt-get, if python3-graph-tool is not there yet.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! /usr/bin/python3 -I -c 'import graph_tool' 2>/dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends python3-graph-tool python3-venv >/dev/null
fi
/usr/bin/python3 -I -m venv --system-site-packages --without-pip --clear .venv-graph-tool
.venv-graph-tool/bin/python -I -c 'import graph_tool; print("graph-tool", graph_tool.__version__)'
