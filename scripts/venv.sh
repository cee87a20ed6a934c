# Read by scripts/kpki and scripts/test, which set `here` to the checkout: its virtual environment,
# made on first use.
#
# .venv/place      the checkout's path when the installation ended well: a moved venv does not work
# .venv/kpki.cfg   the setup.cfg that kpki was installed from
# .venv/test.cfg   the same for kpki with its tests' tools
# Nothing but these files says "done", and they come last, so the next run begins anew if a run was
# cut off.
# .venv.lock       held while one run sets up; .venv.log what venv and pip said
#
# A .venv with neither .venv/place nor .venv.log is somebody else's, and stays as it is.

venv=$here/.venv
log=$here/.venv.log
lock=$here/.venv.lock

die() {
    printf 'kpki: %s\n' "$*" >&2
    exit 2
}

whole() {
    [ -x "$venv/bin/python" ] && [ -f "$venv/place" ] &&
        IFS= read -r place <"$venv/place" && [ "$place" = "$here" ]
}

ready() { # ready kpki|test, at the price of one cmp: no Python is started to find out
    whole && cmp -s "$here/setup.cfg" "$venv/$1.cfg" 2>/dev/null
}

# Sets python: the interpreter itself, so that a removed one leaves a dangling link, which `whole`
# sees.
find_python() {
    set -- python3.14 python3.13 python3.12 python3.11 python3 python
    [ -z "${PYTHON-}" ] || set -- "$PYTHON"
    probe='import os, sys; print(sys.version.split()[0] + " " + os.path.realpath(sys.executable))
sys.exit(sys.version_info < (3, 11))'
    seen=
    for name; do
        if found=$("$name" -c "$probe" 2>/dev/null); then
            python=${found#* }
            return
        fi
        [ -z "$found" ] || seen="$seen${seen:+, }$name is ${found%% *}"
    done
    [ -n "$seen" ] || seen="tried $*"
    die "no Python 3.11 or newer here ($seen): install one, or name it in PYTHON"
}

install() { # install kpki|test, under the lock
    if ready "$1"; then return; fi # whoever held the lock before has done it
    unset PYTHONPATH PYTHONHOME
    export PIP_USER=0 # pip refuses --user in a venv, even when its settings ask for it
    if whole; then
        printf 'kpki: bringing %s up to date\n' "$venv" >&2
        rm -f "$venv/place"
        : >"$log"
    else
        [ ! -e "$venv" ] || [ -f "$venv/place" ] || [ -f "$log" ] ||
            die "$venv: not made by kpki's scripts, which would clear the folder; move it away," \
                "or run kpki from it: $venv/bin/python -m pip install -e '$here[test]'"
        find_python
        "$python" -c 'import venv, ensurepip' 2>/dev/null ||
            die "$python cannot make a virtual environment" \
                "(Debian, Ubuntu: apt install python3-venv)"
        printf 'kpki: setting up %s (first use, less than a minute)\n' "$venv" >&2
        "$python" -m venv --clear "$venv" >"$log" 2>&1 ||
            die "the virtual environment could not be made: see $log"
    fi
    case $1 in kpki) wanted=$here ;; *) wanted="$here[$1]" ;; esac
    "$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check \
        --editable "$wanted" >>"$log" 2>&1 ||
        die "pip could not install kpki and what it needs: see $log"
    printf '%s\n' "$here" >"$venv/place" && cp "$here/setup.cfg" "$venv/kpki.cfg" ||
        die "$venv: cannot be written"
    [ "$1" = kpki ] || cp "$here/setup.cfg" "$venv/$1.cfg" || die "$venv: cannot be written"
}

# set_up kpki|test: returns when it is installed; else says why not in one sentence and ends with 2
set_up() {
    if ready "$1"; then return; fi
    if [ ! -w "$here" ]; then
        [ -e "$venv" ] && [ ! -x "$venv/bin/python" ] ||
            die "$here: not writable, and .venv has to be made there"
        python=$venv/bin/python
        while link=$(readlink "$python"); do
            case $link in /*) python=$link ;; *) python=${python%/*}/$link ;; esac
        done
        die "$python: this user may not run it, and $venv was set up with it; as its owner," \
            "set up again with a Python for all users:" \
            "rm -r $venv; PYTHON=/usr/bin/python3 $here/scripts/kpki --version"
    fi
    if command -v flock >/dev/null; then
        (flock 9 && install "$1") 9>"$lock" || exit 2
        return
    fi
    # A link is made in one step and names its owner; one whose owner is gone is swept away.
    until ln -s "$$" "$lock.$1" 2>/dev/null; do
        kill -0 "$(readlink "$lock.$1")" 2>/dev/null || rm -f "$lock.$1"
        sleep 1
    done
    (install "$1")
    status=$?
    rm -f "$lock.$1"
    [ "$status" = 0 ] || exit 2
}
