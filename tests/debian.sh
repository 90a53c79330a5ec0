# Packages of any of Debian's suites, fetched without root and without touching the system's own apt. To be sourced.
#
# DEBIAN_ARCH     the architecture of the packages (default: amd64)
# DEBIAN_MIRROR   the mirror to use (default: the one that this system's apt uses)
# DEBIAN_ARCHIVE  where suites go that have left the mirror
#
# Who uses it makes a folder and names it in $work.

ARCH=${DEBIAN_ARCH:-amd64}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf '%s\n' "$*" >&2; }

# Ends the script where a tool that is named, or the keys of Debian's archive, are missing.
need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || { say "fetch: $tool is missing"; exit 1; }
  done
  [[ -s $KEYRING ]] || { say "fetch: $KEYRING is missing (package debian-archive-keyring)"; exit 1; }
}

system_mirror() {
  # shellcheck disable=SC2016  # $(REPO_URI) is apt's, not the shell's
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    grep -m1 -E '/debian/?$' || echo http://deb.debian.org/debian
}

# Runs an apt tool against a state of its own in $work, so that the system's is neither read nor written.
private_apt() {
  local tool=$1
  shift
  "$tool" \
    -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State="$work/state" -o Dir::State::status=/dev/null -o Dir::Cache="$work/cache" \
    -o APT::Architecture=$ARCH -o APT::Architectures=$ARCH -o APT::Sandbox::User="$(id -un)" \
    -o Acquire::Languages=none -o Acquire::Retries=2 -o Acquire::http::Timeout=20 \
    -o APT::Update::Error-Mode=any -o Debug::NoLocking=1 "$@"
}

# Reads the package lists of suite $1 from the first mirror that has them.
read_lists() {
  local suite=$1 mirror
  mkdir -p "$work"/{state/lists/partial,cache/archives/partial}
  for mirror in "$MIRROR" "$ARCHIVE"; do
    echo "deb [signed-by=$KEYRING check-valid-until=no] $mirror $suite main" >"$work/sources.list"
    private_apt apt-get update -qq 2>"$work/error" && return
  done
  return 1
}

MIRROR=${DEBIAN_MIRROR:-$(system_mirror)}
ARCHIVE=${DEBIAN_ARCHIVE:-http://archive.debian.org/debian}
