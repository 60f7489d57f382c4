#!/bin/sh
# Puts ONNX Runtime's library where the binary looks first, beside itself:  beside.sh LIBRARY FOLDER...
set -eu
library=$1
shift
for folder in "$@"; do
    mkdir -p "$folder"
    to=$folder/libonnxruntime.so
    cmp -s "$library" "$to" && continue
    # A hard link costs nothing; the target folder may be on another disk. Never written over: a gateway may run on it.
    rm -f "$to"
    ln "$library" "$to" 2>/dev/null || cp "$library" "$to"
done
