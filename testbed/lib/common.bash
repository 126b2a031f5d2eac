# shellcheck shell=bash disable=SC2034  # not every program uses every name
# What every program of the testbed begins with: where things are, what the cluster's addresses are, how to give up.
set -euo pipefail

testbed=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home=${TESTBED_HOME:-$HOME/.cache/onyxia-cluster}
bin=$home/bin   # programs
run=$home/run   # of the running cluster: logs, configuration, secrets, the ACME server's root
pki=$home/pki   # the cluster's keys, certificates and kubeconfigs

# The cluster lives in one network namespace, out of which there is no way: nothing in it can reach another machine.
netns=onyxia
beside=onyxia-beside        # a second one, for a browser: see exec --beside
node=192.168.50.1           # the node, its DNS server, its ACME server
balancer=192.168.50.100     # what every Service of type LoadBalancer gets
containerd_socket=/run/onyxia-containerd.sock
containerd_state=/run/onyxia-containerd
cni_network=onyxia-testbed
owner=/run/onyxia-testbed   # holds $home of the cluster that runs: there can be only one on a machine

way_out="or set KUBECONFIG to any other cluster, for instance one made by kind"

# what profile current names another version of, which cannot be had for tests
newest_keycloak=26.7.3

# pinned_image NAME: the image of that name in the profile, such as docker.io/traefik:v1.2.3
pinned_image() { grep -hoE "$1[:@][^ ]+" "$testbed/../pkg/profile/catalogue/${2:-current}.yaml"; }

# traefik_version: $TRAEFIK, or what the profile names
traefik_version() {
  local image
  image=$(pinned_image docker.io/traefik)
  echo "${TRAEFIK:-${image#*:v}}"
}

say() { echo "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }

# inside CMD...: runs it in the cluster's network namespace
inside() { nsenter --net="/run/netns/$netns" "$@"; }
ctr() { timeout 60 "$bin/ctr" -a "$containerd_socket" -n k8s.io "$@" 2>/dev/null; }

# end_containers: those running, and the records of all, which containerd would find again at the next start
end_containers() {
  ctr task ls -q | each task rm -f
  ctr container ls -q | each container rm
  ctr sandboxes ls | awk 'NR > 1 { print $1 }' | each sandboxes rm -f
}

# each COMMAND...: containerd's client with the names on stdin, if there are any. That one is gone already is no failure.
each() {
  local names
  mapfile -t names
  [ ${#names[@]} -eq 0 ] || ctr "$@" "${names[@]}" >/dev/null || true
}

# needs_machine: stops unless a cluster can run here at all
needs_machine() {
  [ "$(uname -s)" = Linux ] || die "a node needs Linux and this is $(uname -s): run this on a Linux machine, $way_out"
  [ "$(id -u)" = 0 ] || die "a node needs root (network namespaces, mounts, cgroups): run this as root, $way_out"
  unshare --net --mount true 2>/dev/null ||
    die "a node needs its own network namespace and mounts, and this machine allows none (a container without --privileged?): run this elsewhere, $way_out"
  local groups=/sys/fs/cgroup
  [ -e $groups/cgroup.controllers ] || groups=$groups/memory
  # a name of its own: another run may be probing, and one that was killed left its probe
  { mkdir "$groups/testbed-probe-$$" && rmdir "$groups/testbed-probe-$$"; } 2>/dev/null ||
    die "a node needs cgroups, and none can be made in $groups (a container without --privileged?): run this elsewhere, $way_out"
}

# needs_up: stops unless the cluster runs
needs_up() { [ -e "/run/netns/$netns" ] || die "the cluster is not up: start it with $testbed/up"; }

# needs_packages COMMAND:PACKAGE...: installs the Debian packages of the commands that are missing, after naming them.
# COMMAND may be a path.
needs_packages() {
  local pair packages=()
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || [ -e "${pair%%:*}" ] || packages+=("${pair##*:}")
  done
  [ ${#packages[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null ||
    die "Debian packages ${packages[*]} are missing and there is no apt-get here: install what they hold, $way_out"
  [ "$(id -u)" = 0 ] || die "Debian packages ${packages[*]} are missing: run this as root, or apt-get install them first"
  say "installing Debian packages: ${packages[*]}"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "${packages[@]}"; } >/dev/null
}

# seconds_since START: for telling how long something took; START is a value of $SECONDS
seconds_since() { echo "$((SECONDS - $1)) s"; }
