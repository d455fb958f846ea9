#!/bin/sh
# Writes the tables under protocol-compat/src/generated and the golden frames from the jars that pom.xml pins.
#   generate.sh           writes
#   generate.sh --check   writes nothing, names each file that differs and then exits with 1
# GENERATOR_WORK is where jars and classes go (default: the workspace's target/generator). With GENERATOR_LIBS set to
# a directory of jars nothing is downloaded.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${GENERATOR_WORK:-$here/../../target/generator}
libs=${GENERATOR_LIBS:-$work/libs}
mkdir -p "$work"
if [ -z "${GENERATOR_LIBS:-}" ]; then
    mvn -q -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libs"
fi
rm -rf "$work/classes"
javac -Xlint:all -Werror -cp "$libs/*" -d "$work/classes" "$here"/src/*.java
exec java -cp "$work/classes:$libs/*" Generate "$here/.." "$@"
