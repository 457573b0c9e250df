#!/usr/bin/env bash
# Fetch Mesa's Vulkan driver in software into a folder, and install nothing: fetch_llvmpipe.sh FOLDER
# WebGPU needs Mesa 25, which Debian 12 has in its backports. Where Mesa is new enough, nothing is fetched.
set -euo pipefail
folder=$(realpath -m "$1")
needed=25.0
refuse() {
    echo "No Mesa $needed here, and it cannot be fetched: $1. The tests of fp16 on WebGPU are skipped."
    exit 0
}
command -v apt-get >/dev/null || refuse "this is no Debian"
installed=$(dpkg-query --show --showformat='${Version}' mesa-vulkan-drivers 2>/dev/null) ||
    refuse "mesa-vulkan-drivers is not installed, with what it depends on"
dpkg --compare-versions "$installed" ge "$needed" && exit 0
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
# The mirror that this machine takes the release itself from.
mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' "Created-By: Packages" |
    awk -v release="$release" '$2 == release && !known { print $1; known = 1 }')
[ -n "$mirror" ] || refuse "no mirror of $release is known"
mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
echo "deb $mirror $release-backports main" > "$folder/sources.list"
apt() {
    apt-get -qq -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::lists="$folder/lists" -o Dir::Cache="$folder/cache" -o APT::Sandbox::User=root "$@"
}
(cd "$folder" && apt update && apt download mesa-vulkan-drivers) || refuse "the mirror does not answer"
dpkg -x "$folder"/mesa-vulkan-drivers_*.deb "$folder"
library=$(find "$folder/usr/lib" -name libvulkan_lvp.so)
! ldd "$library" | grep "not found" || refuse "it needs other libraries than those that are installed"
# Its name alone would be looked for among the libraries of the system.
sed -i "s#\"library_path\": *\"[^\"]*\"#\"library_path\": \"$library\"#" "$folder"/usr/share/vulkan/icd.d/lvp_icd*.json
rm -rf "$folder"/*.deb "$folder/lists" "$folder/cache"
touch "$folder/installed"
