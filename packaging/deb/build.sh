#!/bin/bash
# Makes gantry_VERSION_ARCH.deb, and gantry-dbgsym with its symbols beside it, of a program that is built. The same program and the same
# sources give the same bytes: times are SOURCE_DATE_EPOCH, by default that of the commit.
#   packaging/deb/build.sh BUILD_DIR OUT_DIR [VERSION]     VERSION: what the program says, if none is given
set -euo pipefail
build=$(realpath "$1") out=$(realpath -m "$2") version=${3:-}
cd "$(dirname "$0")/../.."
gantry=$build/gantry
version=${version:-$("$gantry" version --json | sed 's/.*"version":"\([^"]*\)".*/\1/')}
dpkg --validate-version "$version"
arch=$(dpkg --print-architecture)
maintainer="The Gantry maintainers <gantry@localhost.localdomain>"
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}
export SOURCE_DATE_EPOCH=$epoch LC_ALL=C TZ=UTC
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/debian/gantry symbols=$work/debian/gantry-dbgsym

mkdir -p "$out" "$root/DEBIAN" "$symbols/DEBIAN"
put() { install -D -m "$1" "$2" "$root/$3"; }      # MODE FILE PLACE
write() { install -d "$(dirname "$root/$1")" && cat >"$root/$1"; }
packed() { gzip -9n | write "$1"; }

# The program, its symbols apart: gdb and perf find them by the build id.
put 755 "$gantry" usr/bin/gantry
id=$(readelf -n "$gantry" | sed -n 's/.*Build ID: //p')
install -d "$symbols/usr/lib/debug/.build-id/${id:0:2}"
objcopy --only-keep-debug --compress-debug-sections "$gantry" "$symbols/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
chmod 644 "$symbols/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
strip --strip-unneeded --remove-section=.comment "$root/usr/bin/gantry"
# The names of its functions stay, packed (0.2 MB), so that reports of failures tell them without the symbols.
nm "$gantry" --format=posix --defined-only | awk '$2 ~ /^[TtW]$/ { print $1 }' | sort -u >"$work/functions"
objcopy --only-keep-debug "$gantry" "$work/whole"
objcopy -S --remove-section=.comment --keep-symbols="$work/functions" "$work/whole" "$work/names"
xz -6 --threads=1 "$work/names"
objcopy --add-section .gnu_debugdata="$work/names.xz" "$root/usr/bin/gantry"

# What the program says of itself.
"$gantry" help --man | packed usr/share/man/man1/gantry.1.gz
"$gantry" completions bash | write usr/share/bash-completion/completions/gantry
"$gantry" completions zsh | write usr/share/zsh/vendor-completions/_gantry
"$gantry" completions fish | write usr/share/fish/vendor_completions.d/gantry.fish
{
    cat packaging/deb/gantry.toml.head
    "$gantry" config default | sed 1d | sed 's|^#data = "./data"$|data = "/var/lib/gantry"|'
} | write etc/gantry/gantry.toml
grep -qx 'data = "/var/lib/gantry"' "$root/etc/gantry/gantry.toml" # the place that the unit may write to

for unit in packaging/systemd/*; do put 644 "$unit" "usr/lib/systemd/system/$(basename "$unit")"; done
for rules in packaging/prometheus/gantry.{rules.yml,dashboard.json}; do
    put 644 "$rules" "usr/share/gantry/prometheus/$(basename "$rules")"
done

doc=usr/share/doc/gantry
put 644 packaging/deb/copyright $doc/copyright
for page in README.md CHANGELOG.md docs/*.md; do
    [ "$page" = docs/plan.md ] || put 644 "$page" "$doc/$(basename "$page")"
done
changelog() {
    printf 'gantry (%s) bookworm; urgency=medium\n\n  * What changes for whom: CHANGELOG.md beside this file.\n\n -- %s  %s\n' \
        "$version" "$maintainer" "$(date -uR -d "@$epoch")"
}
case $version in *-*) history=changelog.Debian.gz ;; *) history=changelog.gz ;; esac
changelog | packed "$doc/$history"

# The libraries that the program was linked with, in the versions whose symbols it needs.
printf 'Source: gantry\n\nPackage: gantry\nArchitecture: any\n' >"$work/debian/control"
libraries=$(cd "$work" && dpkg-shlibdeps -O -e"$root/usr/bin/gantry" | sed 's/^shlibs:Depends=//')

size_of() { find "$1" -type f -printf '%s\n' | awk '{ kib += int(($1 + 1023) / 1024) } END { print kib }'; }
sums() { (cd "$1" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | sort | xargs md5sum) >"$1/DEBIAN/md5sums"; }
pack() { # DIRECTORY PACKAGE
    find "$1" -exec touch -hd "@$epoch" {} +
    dpkg-deb --root-owner-group --threads-max=1 -Zxz -z6 --build "$1" "$out/$2_${version}_$arch.deb" >/dev/null
    echo "$out/$2_${version}_$arch.deb"
}

for script in postinst prerm postrm; do put 755 "packaging/deb/$script" "DEBIAN/$script"; done
echo /etc/gantry/gantry.toml >"$root/DEBIAN/conffiles"
cat >"$root/DEBIAN/control" <<END
Package: gantry
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(size_of "$root")
Depends: $libraries, adduser
Recommends: ca-certificates, tzdata
Section: net
Priority: optional
Description: services for a software forge, in one program
 Small services for software forges, package archives and CI: events in a log,
 state folded from them in memory, and a public HTTP API. On one machine it
 needs no other server.
 .
 The service runs as user gantry, keeps its data in /var/lib/gantry, and needs
 a processor with SSE 4.2.
END
sums "$root"
cat >"$symbols/DEBIAN/control" <<END
Package: gantry-dbgsym
Source: gantry
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(size_of "$symbols")
Depends: gantry (= $version)
Section: debug
Priority: optional
Auto-Built-Package: debug-symbols
Build-Ids: $id
Description: debug symbols for gantry
END
install -d "$symbols/usr/share/doc" && ln -s gantry "$symbols/usr/share/doc/gantry-dbgsym"
sums "$symbols"
pack "$root" gantry
pack "$symbols" gantry-dbgsym
