#!/bin/bash
# One search on the nodes of a Slurm job, one Ray node each; from the folder that `search.yaml`'s
# paths are meant from, with the environment of automl_cl activated and both on a shared disk:
#
#   sbatch cluster/launch/slurm.sh search.yaml
#
# What follows search.yaml is handed on to `automl-cl search`, such as --trials 200. The head makes
# a token for this job alone; it lies in a file that only you can read, and goes with the job.
#SBATCH --job-name=automl-cl
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --output=automl-cl-%j.log

set -euo pipefail

if [[ $# -lt 1 || ! -f "$1" ]]; then
    echo "usage: sbatch cluster/launch/slurm.sh SEARCH.yaml [options of automl-cl search]" >&2
    exit 2
fi
search=$1
shift

umask 077
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH="$PWD/.automl-cl-token-$SLURM_JOB_ID"
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT
python -c 'import secrets; print(secrets.token_hex(32))' > "$RAY_AUTH_TOKEN_PATH"

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
ip=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}')
# Jobs that share a node must not share a port.
port=$((20000 + SLURM_JOB_ID % 20000))
cpus=${SLURM_CPUS_PER_TASK:-1}
gpus=${SLURM_GPUS_ON_NODE:-0}

srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --head --node-ip-address="$ip" --port="$port" --num-cpus="$cpus" \
    --num-gpus="$gpus" --include-dashboard=true --dashboard-host=127.0.0.1 --block &
sleep 20
for node in "${nodes[@]:1}"; do
    srun --overlap --nodes=1 --ntasks=1 --nodelist="$node" \
        ray start --address="$ip:$port" --num-cpus="$cpus" --num-gpus="$gpus" --block &
done
sleep 20

# In the background, so that a signal from Slurm gets to it: it stops in order, and
# `automl-cl resume` goes on from there.
python -m automl_cl search --from "$search" --address "$ip:$port" \
    --output "runs/slurm-$SLURM_JOB_ID" "$@" &
driver=$!
trap 'kill -TERM "$driver" 2> /dev/null || true' TERM
code=0
wait "$driver" || code=$?
# A trapped signal ends `wait` early; what counts is how the search ends.
if kill -0 "$driver" 2> /dev/null; then
    code=0
    wait "$driver" || code=$?
fi
exit "$code"
