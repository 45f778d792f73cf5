#!/bin/sh
# Makes the environment with the toolkit of the VOT challenges, whose measures are the official ones. It takes about
# 610 MB of disk and stays apart from limpet's own: the toolkit is under the GPL-3, and limpet only runs it.
#
#   scripts/vot_environment.sh [folder, default ./.venv-vot]
#
# Then:  .venv-vot/bin/vot evaluate --workspace WORKSPACE limpet
# tests/evaluation/vot/test_toolkit.py runs it, too, where LIMPET_VOT_PYTHON=folder/bin/python is set.
set -eu

folder=${1:-.venv-vot}
python=${PYTHON:-python3}

"$python" -m venv "$folder"
# -I: pip must not look at the limpet of this folder. attributee 0.1.10 breaks every version of the toolkit, and 0.9.0 of the toolkit all experiments with anchors.
"$folder/bin/python" -I -m pip install --quiet "vot-toolkit==0.7.4" "attributee==0.1.9" "vot-trax==4.0.2"
"$folder/bin/python" -c "
from importlib.metadata import version
import vot.analysis
print('ready: vot-toolkit', version('vot-toolkit'))
"
