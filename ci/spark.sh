#!/usr/bin/env bash
# Rows in a DataFrame of Spark, by two tasks at a time, where there is Java.
source "$(dirname "$0")/common.sh"
"${JAVA_HOME:+$JAVA_HOME/bin/}java" -version >/dev/null 2>&1 || { echo "no Java: Spark is not tested"; exit 0; }
copy_of_the_sources "$work/spark-sources"
fresh_environment spark
python -m pip install --quiet -e '.[test-core,spark]'
python -m pytest tests/sweeps/test_on_spark.py
