#!/bin/sh
# Puts ONNX Runtime's library where the binary looks first, beside itself:  beside.sh LIBRARY FOLDER...
set -eu
library=$1
shift
for folder in "$@"; do
    mkdir -p "$folder"
    to=$folder/libonnxruntime.so
    # A hard link costs nothing; the target folder may be on another disk.
    cmp -s "$library" "$to" || { ln -f "$library" "$to" 2>/dev/null || cp -f "$library" "$to"; }
done
