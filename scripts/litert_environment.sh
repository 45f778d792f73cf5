#!/bin/sh
# Makes the environment in which `limpet export --to litert` converts: litert-torch and a CPU build of torch.
# It takes about 2.5 GB of disk and stays apart from limpet's own: litert-torch pins many packages.
#
#   scripts/litert_environment.sh [folder, default ./.venv-litert]
#
# limpet finds ./.venv-litert by itself; for any other folder set LIMPET_LITERT_PYTHON=folder/bin/python.
set -eu

folder=${1:-.venv-litert}
python=${PYTHON:-python3}

"$python" -m venv "$folder"
# torch first and by its number: without it pip takes a CUDA build of several gigabytes.
"$folder/bin/python" -m pip install --quiet "torch==2.13.0" "litert-torch==0.10.0"
"$folder/bin/python" -c "
import litert_torch, torch
assert torch.version.cuda is None, 'this is a CUDA build of torch'
print('ready: litert-torch', litert_torch.__version__, 'torch', torch.__version__)
"
