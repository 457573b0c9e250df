#!/usr/bin/env bash
# Unpack a package of another suite of Debian into a folder, and install nothing: fetch_debian.sh FOLDER SUITE PACKAGE
# Where that is not possible it says so: the tests that need the package are skipped. Where the package is installed and
# as new, nothing is fetched.
set -euo pipefail
suite=$2 package=$3
refuse() {
    echo "$package of Debian's $suite is not fetched: $1. The tests that need it are skipped."
    exit 0
}
command -v apt-get >/dev/null || refuse "this is no Debian"
folder=$(realpath -m "$1")
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
# The mirror that this machine takes its own release from.
mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' "Created-By: Packages" |
    awk -v release="$release" '$2 == release && !known { print $1; known = 1 }')
[ -n "$mirror" ] || refuse "no mirror of $release is known"
mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
echo "deb $mirror $suite main" > "$folder/sources.list"
settings=(-qq -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root
    -o Dir::State::lists="$folder/lists" -o Dir::Cache="$folder/cache" -o APT::Update::Error-Mode=any)
apt-get "${settings[@]}" update || refuse "the mirror does not answer"
installed=$(dpkg-query --show --showformat='${Version}' "$package" 2>/dev/null || true)
offered=$(apt-cache "${settings[@]:1}" madison "$package" | awk -F ' *[|] *' -v suite="$suite/" '$3 ~ suite { print $2; exit }')
if [ -n "$installed" ] && dpkg --compare-versions "$installed" ge "${offered:-0}"; then exit 0; fi
(cd "$folder" && apt-get "${settings[@]}" download "$package=$offered") || refuse "it cannot be downloaded"
dpkg -x "$folder/${package}"_*.deb "$folder"
# A driver of Vulkan that is named without its folder is looked for among the libraries of the system.
for file in "$folder"/usr/share/vulkan/icd.d/*.json; do
    [ -e "$file" ] || continue
    library=$(find "$folder/usr/lib" -name "$(sed -n 's#.*"library_path": *"\(lib.*\)".*#\1#p' "$file")")
    sed -i "s#\"library_path\": *\"lib.*\"#\"library_path\": \"$library\"#" "$file"
done
rm -rf "$folder"/*.deb "$folder/lists" "$folder/cache"
touch "$folder/fetched"
