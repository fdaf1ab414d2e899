#!/usr/bin/env bash
# What a GPU makes of vitzoo, in under ten minutes, beside other ways to do it. Needs the source tree and a Python with
# torch; PYTHON names it (default python3).
#
#   benchmarks/gpu.sh [--parts abc] [--minutes 10] [--device cuda] [--toy]
#
#   a  ViT-S/16 at 224: end-to-end images/s and MFU of ours, P1 and P2
#   b  populations of a small ViT, K = 1, 8, 32, 120: ours, P1 and P5
#   c  the whole tiny-cifar zoo, 10 + 240 members with every epoch's checkpoint, grown and measured
#
# Every part has a share of the time and says what it got in it; --parts c --minutes 10 gives one part all of it.
# Part c reads images from $VITZOO_DATA (default: data), see whole_zoo.py. Results go to $OUT, by default
# benchmarks/results/gpu; --toy runs everything at tiny sizes, with --device cpu also where there is no GPU.
set -euo pipefail

parts=abc minutes=10 device=cuda toy=
while (($#)); do
  case $1 in
    --parts) parts=$2; shift 2 ;;
    --minutes) minutes=$2; shift 2 ;;
    --device) device=$2; shift 2 ;;
    --toy) toy=1; shift ;;
    *) sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done

root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
out=${OUT:-$root/benchmarks/results/gpu}
work=$(mktemp -d)
mkdir -p "$out"
export PYTHONUNBUFFERED=1 PYTHONPATH=$root/src:$root/benchmarks${PYTHONPATH:+:$PYTHONPATH}
end=$((SECONDS + minutes * 60 - 20)) # with time to print and to tidy up
child=
trap 'if [[ $child ]]; then kill "$child" || true; wait "$child" || true; fi; rm -rf "$work"' EXIT
exec > >(tee "$out/gpu.log") 2>&1

# --- what is there ----------------------------------------------------------------------------------------------------
if ! absent=$("$python" -c 'from peers.needs import *; print(*missing(OURS + PEERS))'); then
  echo "$python cannot run benchmarks/peers/needs.py."; exit 1
fi
if [[ " $absent " == *" torch "* ]]; then
  echo "$python has no torch. Install one that fits the GPU, or name another Python by PYTHON."; exit 1
elif [[ $absent ]]; then
  echo "Missing: $absent. Trying to install."
  # shellcheck disable=SC2086  # a list of names
  timeout 60 "$python" -m pip install --quiet --disable-pip-version-check --retries 0 --timeout 10 $absent ||
    echo "They cannot be installed here; put wheels of them on PYTHONPATH."
fi
if ! found=$("$python" -m peers.needs "$device"); then
  echo "vitzoo cannot run without what is named above."; exit 1
fi
head -n -1 <<<"$found"
systems=$(tail -n 1 <<<"$found")

attend() { # wait for the process in the background, so that it ends with this script
  child=$!
  local code=0
  wait "$child" || code=$?
  child=
  return "$code"
}

# --- parts ------------------------------------------------------------------------------------------------------------
left() { echo $((end - SECONDS)); }

# share N: seconds for a part that takes N shares of what is left, parts that are still to come taking theirs.
share() {
  local all=0 letter
  for letter in a b c; do
    [[ $parts == *$letter* && ! $letter < $1 ]] && all=$((all + weight[$letter]))
  done
  echo $(($(left) * weight[$1] / all))
}
declare -A weight=([a]=26 [b]=30 [c]=44)

only() { # the systems among "$1" that this Python can run
  local name kept=
  for name in ${1//,/ }; do [[ ,$systems, == *,$name,* ]] && kept+=,$name; done
  echo "${kept#,}"
}

compare() { # compare SECONDS FILE SYSTEMS arguments…: one comparison, stopped when its time is over
  local seconds=$1 file=$out/$2 wanted
  wanted=$(only "$3")
  shift 3
  if [[ -z $wanted ]]; then return; fi
  rm -f "$file"
  timeout --kill-after=10 "$((seconds + 5))" "$python" "$root/benchmarks/populations.py" --no-cold --device "$device" \
    --seconds "$seconds" --limit "$seconds" --systems "$wanted" --out "$file" "$@" >"$work/table" &
  attend || echo "Stopped after $seconds s; what follows is what was measured until then."
}

if [[ $parts == *a* ]]; then
  seconds=$(share a)
  echo -e "\n## a. ViT-S/16 at 224, $seconds s"
  size=(--arch vit-s --members 1 --batch 256 --images 10240 --epochs 3 --rounds 3)
  if [[ $toy ]]; then size=(--arch toy --members 1 --batch 32 --images 64 --epochs 2 --rounds 1); fi
  compare "$seconds" vit-s.json ours,p1,p2 "${size[@]}"
  [[ -f $out/vit-s.json ]] && "$python" "$root/benchmarks/populations.py" --table "$out/vit-s.json"
fi

if [[ $parts == *b* ]]; then
  seconds=$(share b)
  echo -e "\n## b. Populations of a small ViT, $seconds s"
  until=$((SECONDS + seconds)) files=()
  members=(1 8 32 120) size=(--arch small --batch 128 --images 10240 --epochs 3 --rounds 1)
  if [[ $toy ]]; then members=(1 2) size=(--arch toy --batch 32 --images 64 --epochs 2 --rounds 1); fi
  for k in "${members[@]}"; do
    # P1 trains one model at a time; that it could be eight is tried once, more processes than that are not.
    case $k in 1) wanted=ours,p5,p1 ;; 8) wanted=ours,p5,p1 ;; *) wanted=ours,p5 ;; esac
    if ((until - SECONDS < 10)); then echo "No time for K = $k."; continue; fi
    compare $((until - SECONDS)) "population-$k.json" "$wanted" "${size[@]}" --members "$k" --at-once 8
    [[ -f $out/population-$k.json ]] && files+=("$out/population-$k.json")
  done
  ((${#files[@]})) && "$python" "$root/benchmarks/populations.py" --by-members "${files[@]}"
fi

if [[ $parts == *c* ]]; then
  seconds=$(left)
  echo -e "\n## c. The whole tiny-cifar zoo, $seconds s"
  "$python" "$root/benchmarks/whole_zoo.py" --work "$work/whole" --data "${VITZOO_DATA:-$root/data}" \
    --device "$device" --seconds "$seconds" --out "$out/whole-zoo.json" ${toy:+--toy} &
  attend || { cp "$work"/whole/*.log "$out" 2>/dev/null || true; echo "Part c failed; its logs are in $out."; }
fi
echo -e "\nResults are in $out; it took $SECONDS s."
