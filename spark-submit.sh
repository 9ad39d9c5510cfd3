#!/usr/bin/env bash
# Runs a job with this checkout's Spark, Delta and settings; every argument goes to spark-submit, its exit code comes back.
#     ./spark-submit.sh jobs/materialize.py household_spend --through 2017-10-02
# Master is local[*] unless --master says otherwise.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
python="$root/.venv/bin/python"
if [[ ! -x "$python" ]]; then
    echo "spark-submit.sh: .venv is missing. Run 'make setup' first." >&2
    exit 2
fi
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
found="$("$python" "$root/scripts/spark_env.py")" || exit $?
eval "$found"

# only what stands before the script is spark-submit's; the job may have a --jars or --master of its own
master=(--master 'local[*]')
passed=()
while [[ $# -gt 0 && "$1" == --* ]]; do
    case "$1" in
        --master) master=(--master "$2"); shift 2 ;;
        --master=*) master=("$1"); shift ;;
        --jars) DELTA_JARS="$DELTA_JARS,$2"; shift 2 ;;
        --jars=*) DELTA_JARS="$DELTA_JARS,${1#--jars=}"; shift ;;
        --verbose | --supervise | --version | --help) passed+=("$1"); shift ;;
        --*=*) passed+=("$1"); shift ;;
        *) passed+=("$1" "${2-}"); shift $(($# > 1 ? 2 : 1)) ;;
    esac
done

export JAVA_HOME SPARK_HOME
export PYSPARK_PYTHON="${PYSPARK_PYTHON:-$python}"
export PYSPARK_DRIVER_PYTHON="${PYSPARK_DRIVER_PYTHON:-$python}"
# the launcher reads its logging from here, before any option reaches the driver
export SPARK_CONF_DIR="${SPARK_CONF_DIR:-$root/conf}"
case "${master[*]}" in *local*) export SPARK_LOCAL_IP="${SPARK_LOCAL_IP:-127.0.0.1}" ;; esac

# the machine warns on standard output by itself, in the midst of what --json prints
warnings="-Xlog:disable -Xlog:all=warning:stderr"

exec "$SPARK_HOME/bin/spark-submit" "${master[@]}" \
    --jars "$DELTA_JARS" \
    --properties-file "$root/conf/spark-defaults.conf" \
    --driver-java-options "-Dlog4j2.configurationFile=file:$root/conf/log4j2.properties $warnings" \
    ${passed[@]+"${passed[@]}"} "$@"
