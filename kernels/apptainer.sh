#!/bin/sh
# Apptainer for a Debian 12, which has none: the package of Debian's unstable, with the libraries that it needs, in a
# directory of its own; from Debian 12 itself only what builds and mounts images. Signatures are checked by apt.
# Usage, as root: apptainer.sh DIR; then DIR/bin/apptainer. 80 MB, 15 s. Where there is one already: nothing to do.
# Exit status 3: Debian's unstable has gone on to another series than the one this was tested with.
set -eu
SERIES=1.4
DIR=$(mkdir -p "${1:?usage: apptainer.sh DIR}" && cd "$1" && pwd)
KEYS=/usr/share/keyrings/debian-archive-keyring.gpg
[ ! -x "$DIR/bin/apptainer" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "apptainer.sh: needs root, for apt-get" >&2; exit 1; }
. /etc/os-release
[ "${VERSION_CODENAME:-} $(uname -m)" = "bookworm x86_64" ] || {
  echo "apptainer.sh: for Debian 12 on x86_64, not ${PRETTY_NAME:-this}: see https://apptainer.org/docs/admin/" >&2; exit 1; }

missing=$(for package in squashfuse squashfs-tools mmdebstrap patchelf; do
  dpkg-query --show "$package" >/dev/null 2>&1 || echo "$package"; done)
[ -z "$missing" ] || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
  apt-get install -qq -y --no-install-recommends $missing >/dev/null; }

# An apt of its own, which knows unstable and nothing of what is installed here.
work=$(mktemp -d "$DIR/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial"
: >"$work/status"
# The mirror that this machine has Debian from.
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $VERSION_CODENAME" "Created-By: Packages" | head -n 1)
echo "deb [arch=amd64 signed-by=$KEYS] ${mirror:?no Debian mirror in the sources of apt} sid main" >"$work/sources.list"
cat >"$work/apt.conf" <<CONF
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work";
APT::Sandbox::User "root";
Acquire::Languages "none";
CONF
export APT_CONFIG="$work/apt.conf"
cd "$work"
apt-get update -qq
version=$(apt-cache show --no-all-versions apptainer 2>/dev/null | sed -n 's/^Version: //p')
case $version in
  "$SERIES".*) ;;
  *) echo "apptainer.sh: Debian's unstable now has apptainer ${version:-no more}; this was tested with $SERIES. Install" \
       "Apptainer yourself (https://apptainer.org/docs/admin/), or try the new one: edit SERIES in $0" >&2; exit 3 ;;
esac
apt-get download -qq apptainer libc6 libseccomp2 libsqlite3-0

# Apptainer finds its files relative to its program's directory, and to the starter's.
rm -rf new && mkdir new
for package in libc6 libseccomp2 libsqlite3-0; do dpkg-deb --extract "$package"_*.deb new/libraries; done
dpkg-deb --extract apptainer_*.deb package
mv package/usr/bin package/usr/lib package/etc package/var new/
ln -s ../etc ../var new/lib/
libraries=$DIR/libraries/usr/lib/x86_64-linux-gnu
for program in new/bin/apptainer new/lib/x86_64-linux-gnu/apptainer/bin/starter; do
  patchelf --set-interpreter "$libraries/ld-linux-x86-64.so.2" "$program"
  patchelf --force-rpath --set-rpath "$libraries" "$program"
done
chmod -R go+rX,go-w new
rm -rf "$DIR/bin" "$DIR/lib" "$DIR/etc" "$DIR/var" "$DIR/libraries"
mv new/lib new/etc new/var new/libraries "$DIR/"
mv new/bin "$DIR/"
"$DIR/bin/apptainer" version >/dev/null
