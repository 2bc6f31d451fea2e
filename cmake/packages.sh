# SPDX-License-Identifier: Apache-2.0
# What Berth needs from Debian 12, and how ./run and ./test get it. Sourced by both; expects bash with -euo pipefail.

berth_build_packages=(g++ cmake ninja-build libboost1.81-dev libexpected-dev nlohmann-json3-dev rapidjson-dev
  libyaml-cpp-dev libspdlog-dev libfmt-dev libcli11-dev libre2-dev libseccomp-dev libarchive-dev zlib1g-dev libacl1-dev libvterm-dev
  nettle-dev libc-ares-dev libssl-dev)
# Beyond those: what the tests link, and what runs them.
berth_test_packages=(libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev python3 python3-pytest
  python3-pytest-xdist python3-jsonschema python3-yaml python3-pip dpkg-dev make git procps openssl docker.io
  docker-registry iptables mmdebstrap busybox-static curl)
# Only ./test --deep: fuzz targets and the linter.
berth_deep_packages=(clang-16 clang-tidy-16 libclang-rt-16-dev)

say() { printf '%s\n' "berth: $*" >&2; }
die() { say "$*"; exit 3; }

# Prints those of its arguments that dpkg does not have installed.
missing_packages() {
  local have
  have=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  local package
  for package; do grep -qxF "installed $package" <<<"$have" || printf '%s\n' "$package"; done
}

# The command that may install: empty as root, else sudo where it can be used.
privilege() {
  if [ "$(id -u)" -eq 0 ]; then echo env; return; fi
  command -v sudo >/dev/null || return 1
  if sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; then echo "sudo env"; return; fi
  return 1
}

apt() {
  # shellcheck disable=SC2086  # "sudo env" is two words on purpose
  $berth_as DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" \
    </dev/null >>"$berth_apt_log" 2>&1
}

# install_packages PACKAGE...: installs what is missing and nothing else. Lists are fetched only where there are none,
# or where the ones that are there turn out to be too old.
install_packages() {
  command -v dpkg-query >/dev/null || die "this script installs Debian 12 packages and finds no dpkg here; docs/building.md says how to build by hand"
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  berth_as=$(privilege) || die "please run this once as root, then again: apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  berth_apt_log=$(mktemp)
  local started=$SECONDS
  say "installing ${#missing[@]} Debian packages (${missing[*]})"
  if ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then apt update || true; fi
  if ! apt install --no-install-recommends "${missing[@]}"; then
    { apt update && apt install --no-install-recommends "${missing[@]}"; } || {
      tail -n 20 "$berth_apt_log" >&2
      die "apt-get could not install ${missing[*]}; the whole log: $berth_apt_log"
    }
  fi
  rm -f "$berth_apt_log"
  say "packages installed in $((SECONDS - started)) s"
}

# One compiler per core, and no more than one per GiB of memory: an Asio source file takes about that.
build_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable:/ {print int($2 / 1048576)}' /proc/meminfo)
  if [ "$memory" -lt 1 ]; then memory=1; fi
  echo $((cores < memory ? cores : memory))
}

# build PRESET BUILD_DIR [TARGET...]: configures where that was never done (ninja notices every later change by itself).
# Only the first build is announced: a dry run of ninja ends where it would look for new files, before it knows what to do.
build() {
  local preset=$1 dir=$2 started=$SECONDS
  shift 2
  if [ ! -f "$dir/build.ninja" ]; then
    say "configuring $dir"
    (cd "$berth_root" && cmake --preset "$preset" -B "$dir" --log-level=WARNING >/dev/null) || return 1
    say "building ${*:-everything}; the first time takes minutes"
  fi
  local ninja=(nice -n 5 ninja -j "$(build_jobs)" -C "$dir" "$@")
  if [ -t 2 ]; then
    NINJA_STATUS='[%f/%t] ' "${ninja[@]}" >&2 || return 1
  else
    "${ninja[@]}" --quiet | { grep -vE '^ninja: (no work to do|Entering)' || true; } >&2 || return 1
  fi
  if [ $((SECONDS - started)) -gt 5 ]; then say "built in $((SECONDS - started)) s"; fi
}
