# SPDX-License-Identifier: Apache-2.0
# What ./test --deep adds. Sourced by ./test; each part that cannot run says why in $out/skipped and is counted there.

deep_skip() { say "skipped $1: $2"; printf '%s: %s\n' "$1" "$2" >>"$out/skipped"; }

# One part gets what it asks for only while the budget has it.
deep_has_time() {
  if [ "$(left)" -ge "$2" ]; then return 0; fi
  deep_skip "$1" "only $(left) s of the time budget were left, it wants $2"
  return 1
}

# sanitized PRESET: the same tests, built with a sanitizer (berth-slotd is dynamic there).
sanitized() {
  local preset=$1 dir=$berth_root/build/$1
  deep_has_time "$preset" 300 || return 0
  if ! build "$preset" "$dir"; then
    deep_failed "$preset" "build"
    return 0
  fi
  ctest_run "$preset" "$dir" -LE '^mutation$'
}

# A part that is no ctest reports in the same form: deep_result PART NAME passed|failed [TEXT]
deep_result() {
  mkdir -p "$out/$1"
  printf '%s\t%s\t%s\n' "$2" "$3" "${4-}" >>"$out/$1/results.tsv"
  case " ${parts[*]} " in *" $1=$out/$1 "*) ;; *) parts+=("$1=$out/$1") ;; esac
}
deep_failed() { deep_result "$1" "$2" failed "${3-}"; }

mutation() {
  deep_has_time mutation 300 || return 0
  if ! grep -q '"mutation"' <(ctest --test-dir "$berth_root/build/dev" -L '^mutation$' --show-only=json-v1); then
    deep_skip mutation "the tree has no test with this label"
    return 0
  fi
  ctest_run mutation "$berth_root/build/dev" -L '^mutation$'
}

# Row 23 of the threat table with its whole million of reads and writes.
race() {
  deep_has_time race 300 || return 0
  if BERTH_RACE_OPERATIONS=1000000 "$berth_root/build/dev/bin/fault_test" --gtest_filter='Race.*' >"$out/race.log" 2>&1; then
    deep_result race Race.million passed
  else
    tail -n 40 "$out/race.log" >&2
    deep_failed race Race.million "$out/race.log"
  fi
}

# The agent under load while its slot servers are killed, for minutes.
load() {
  deep_has_time load 900 || return 0
  if BERTH_LOAD_KILLS=24 BERTH_BIN_DIR=$berth_root/build/dev/bin BERTH_SOURCE_DIR=$berth_root \
    /usr/bin/python3 -B -m pytest -q -rP -p no:cacheprovider "$berth_root/tests/fault/test_agent_load.py" >"$out/load.log" 2>&1; then
    deep_result load agent_load passed
  else
    tail -n 60 "$out/load.log" >&2
    deep_failed load agent_load "$out/load.log"
  fi
}

# Each target runs for a minute from its corpus (tests/fuzz/corpus/NAME), two at a time; a crash leaves its input in
# $out/fuzz.
fuzz() {
  local dir=$berth_root/build/fuzz target name
  if ! compgen -G "$berth_root/tests/fuzz/*.cpp" >/dev/null; then
    deep_skip fuzz "the tree has no fuzz target"
    return 0
  fi
  deep_has_time fuzz 600 || return 0
  if ! build fuzz "$dir" fuzz_targets; then
    deep_failed fuzz build
    return 0
  fi
  mkdir -p "$out/fuzz"
  export out berth_root
  local time
  time=$(left)
  printf '%s\0' "$dir"/bin/fuzz_* | timeout "$time" xargs -0 -P 2 -I{} bash -c '
    name=$(basename "{}")
    mkdir -p "$out/fuzz/corpus/$name"
    if "{}" -max_total_time=60 -rss_limit_mb=2048 -timeout=10 -artifact_prefix="$out/fuzz/$name-" \
      "$out/fuzz/corpus/$name" "$berth_root/tests/fuzz/corpus/${name#fuzz_}" >"$out/fuzz/$name.log" 2>&1; then
      echo passed; else echo failed; fi >"$out/fuzz/$name.state"' || true
  for target in "$dir"/bin/fuzz_*; do
    name=$(basename "$target")
    case $(cat "$out/fuzz/$name.state" 2>/dev/null) in
      passed) deep_result fuzz "$name" passed ;;
      failed) tail -n 40 "$out/fuzz/$name.log" >&2; deep_failed fuzz "$name" "$out/fuzz/$name.log" ;;
      *) deep_skip "$name" "the time budget was over" ;;
    esac
  done
}

# The linter reads one file after the other, two at a time, until its share of the time is gone.
tidy() {
  local dir=$berth_root/build/tidy file files=()
  # clang-tidy wants clang's options, a command for each file, and no g++'s precompiled header: configured, never built.
  if ! cmake --preset fuzz -B "$dir" -DBERTH_PCH=OFF -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON --log-level=WARNING >&2; then
    deep_failed tidy configure
    return 0
  fi
  mapfile -t files < <(git ls-files 'base/*.cpp' 'isolation/*.cpp' 'slotd/*.cpp' 'jobs/*.cpp' 'drivers/*.cpp' \
    'agent/*.cpp' 'client/*.cpp' 'cli/*.cpp' 2>/dev/null || true)
  mkdir -p "$out/tidy"
  export out dir
  printf '%s\0' "${files[@]}" | timeout "$(left)" xargs -0 -P 2 -I{} bash -c '
    log=$out/tidy/$(tr / _ <<<"{}").log
    if clang-tidy-16 -p "$dir" --quiet "{}" >"$log" 2>/dev/null; then echo passed; else echo failed; fi >"$log.state"' || true
  for file in "${files[@]}"; do
    local log=$out/tidy/${file//\//_}.log
    case $(cat "$log.state" 2>/dev/null) in
      passed) deep_result tidy "$file" passed ;;
      failed) cat "$log" >&2; deep_failed tidy "$file" "$log" ;;
      *) deep_skip "tidy $file" "the time budget was over" ;;
    esac
  done
}

# Requests made out of the agent's /openapi.json. The maker comes from the Python registry, into the build folder.
api() {
  local venv=$berth_root/build/schemathesis bin=$berth_root/build/dev/bin
  deep_has_time api 300 || return 0
  if ! { [ -x "$venv/bin/schemathesis" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install -q 'schemathesis==4.*'; }; } >"$out/api.log" 2>&1; then
    deep_skip api "schemathesis could not be installed: $(tail -n 1 "$out/api.log")"
    return 0
  fi
  if BERTH_BIN_DIR=$bin BERTH_SOURCE_DIR=$berth_root PYTHONPATH=$berth_root/tests/contract_agent \
    /usr/bin/python3 -B "$berth_root/tests/contract_agent/generated_requests.py" "$venv/bin/schemathesis" >"$out/api.log" 2>&1; then
    deep_result api generated_requests passed
  else
    tail -n 60 "$out/api.log" >&2
    deep_failed api generated_requests "$out/api.log"
  fi
}

run_deep() {
  install_packages "${berth_deep_packages[@]}"
  sanitized asan
  sanitized tsan
  mutation
  race
  load
  api
  fuzz
  tidy
}
