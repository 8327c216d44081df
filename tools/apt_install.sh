# To be sourced: apt_install PACKAGE... installs Debian packages, or returns 1 when it cannot (not root, or no apt).
apt_is_fresh=

apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    local log
    log=$(mktemp)
    say "installing $* with apt-get"
    if [ -z "$apt_is_fresh" ]; then
        apt-get update -qq >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; return 1; }
        apt_is_fresh=1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$log" 2>&1 </dev/null ||
        { cat "$log" >&2; rm -f "$log"; return 1; }
    rm -f "$log"
}
