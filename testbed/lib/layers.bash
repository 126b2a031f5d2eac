# shellcheck shell=bash disable=SC2154  # home, bin and the like: from common.bash
# How the layers of the images are made. Each make_X FOLDER fills a folder whose contents become the root of a container.

layers=$home/layers

# layer NAME MAKER [ARGUMENT]: $layers/NAME.tar, made by make_MAKER unless it is there. One that was interrupted is not.
# A layer must not bring a folder /bin when it lies on Debian's, where /bin is a link that it would replace.
layer() {
  local name=$1 maker=$2 start=$SECONDS
  shift 2
  [ ! -f "$layers/$name.tar" ] || return 0
  say "making layer $name"
  rm -rf --one-file-system "$layers/$name.part"
  mkdir -p "$layers/$name.part"
  "make_$maker" "$layers/$name.part" "$@"
  tar --sort=name --mtime=@0 --numeric-owner -C "$layers/$name.part" -cf "$layers/$name.tar.part" .
  mv "$layers/$name.tar.part" "$layers/$name.tar"
  rm -rf --one-file-system "$layers/$name.part"
  say "layer $name: $(seconds_since "$start")"
}

needs_program() { [ -x "$bin/$1" ] || die "$1 is not built yet: run $testbed/build $1 first"; }

# script FILE: an executable file with the text on stdin
script() {
  mkdir -p "$(dirname "$1")"
  cat >"$1"
  chmod 755 "$1"
}

make_pause() { CGO_ENABLED=0 GOWORK=off go build -C "$testbed" -trimpath -buildvcs=false -ldflags "-s -w" -o "$1/pause" ./image/pause; }

# Debian's busybox has no nc -z, by which charts wait for a database, and its own shell runs no other nc than its own:
# so here the shell is mksh, and nc a script that connects, runs nothing and ends.
make_busybox() {
  local applet shell
  shell=/usr/lib/$(uname -m)-linux-musl/bin/mksh
  needs_packages busybox:busybox-static "$shell:mksh"
  install -D -t "$1/bin" "$(command -v busybox)"
  install "$shell" "$1/bin/sh"
  for applet in $(busybox --list | grep -vxE 'busybox|sh|nc'); do ln -s busybox "$1/bin/$applet"; done
  script "$1/bin/nc" <<'END'
#!/bin/sh
for word in "$@"; do
  shift
  if [ "$word" = -z ]; then only_connect=1; else set -- "$@" "$word"; fi
done
exec busybox nc "$@" ${only_connect:+-e true}
END
}

make_debian() {
  needs_packages debootstrap:debootstrap
  debootstrap --variant=minbase --include=ca-certificates,curl bookworm "$1" >"$home/layers/log" || die "debootstrap failed: $(tail -n 5 "$home/layers/log")"
  forget_packages "$1"
}

# forget_packages FOLDER: removes what a container has no use for: package lists and archives, manuals, translations
forget_packages() {
  rm -rf "$1"/var/cache/apt/{archives/*.deb,*.bin} "$1"/var/lib/apt/lists/* "$1"/usr/share/{doc,man,locale}/*
}

# on_debian FOLDER PACKAGE...: Debian with more packages, as one layer; SUITE takes them from another one of its versions
on_debian() {
  local folder=$1
  shift
  tar -xf "$layers/debian.tar" --numeric-owner -C "$folder"
  sed -i "s/bookworm/${SUITE:-bookworm}/" "$folder/etc/apt/sources.list"
  env -u TMPDIR chroot "$folder" sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"' sh "$@" \
    >"$home/layers/log" 2>&1 || die "installing $* into a layer failed: $(tail -n 5 "$home/layers/log")"
  forget_packages "$folder"
}

make_traefik() { install -D "$bin/traefik-$2" "$1/usr/local/bin/traefik"; }

# What the entrypoints of these two images come down to: running what they are given.
make_minio() {
  install -D -t "$1/usr/bin" "$bin/minio" "$bin/mc"
  printf '#!/bin/sh\nexec "$@"\n' | script "$1/usr/bin/docker-entrypoint.sh"
}
make_vault() {
  install -D "$bin/vault" "$1/usr/local/bin/vault"
  mkdir -p "$1/vault"
  printf '#!/bin/sh\nexec "$@"\n' | script "$1/usr/local/bin/docker-entrypoint.sh"
}

make_java17() {
  needs_packages jlink:openjdk-17-jdk-headless
  mkdir "$1/opt"
  jlink --add-modules ALL-MODULE-PATH --strip-debug --no-man-pages --no-header-files --output "$1/opt/java"
}

make_keycloak() {
  local folder=$1 version=$2
  needs_packages mvn:maven unzip:unzip
  mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
    -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$folder"
  mkdir "$folder/opt"
  unzip -q "$folder/keycloak-quarkus-dist-$version.zip" -d "$folder/opt"
  rm "$folder/keycloak-quarkus-dist-$version.zip"
  mv "$folder/opt/keycloak-$version" "$folder/opt/keycloak"
  chown -R 1000:0 "$folder/opt/keycloak"
  chmod -R g+rwX "$folder/opt/keycloak"
}

make_postgres() {
  SUITE=$3 on_debian "$1" "postgresql-$2" gosu
  rm -rf "$1"/var/lib/postgresql/*
  # a compiler for queries, 180 MB, that the entrypoint turns off
  rm -rf "$1"/usr/lib/postgresql/*/lib/bitcode "$1"/usr/lib/*/lib{LLVM,z3}*
  script "$1/usr/local/bin/docker-entrypoint.sh" <"$testbed/image/postgres-entrypoint.sh"
}

# The real Onyxia is not to be had from a registry. $ONYXIA_BUILD holds what a build of its sources left.
onyxia_build=${ONYXIA_BUILD:-$HOME/.cache/upstream/out}
needs_onyxia() {
  local file
  for file in onyxia-api-app bin/helm web/run.sh; do
    [ -e "$onyxia_build/$file" ] || die "$onyxia_build/$file is missing: build Onyxia's API and web first and say where in ONYXIA_BUILD, or load onyxia-standin"
  done
}

make_java25() {
  local jdk=${JDK25:-/usr/lib/jvm/temurin-25-jdk-amd64}
  [ -d "$jdk" ] || die "$jdk is missing: install a JDK 25 and say where in JDK25"
  mkdir "$1/opt"
  cp -aL "$jdk" "$1/opt/java"
  rm -rf "$1"/opt/java/{jmods,lib/src.zip,man,legal,include}
  chown 101 "$1/opt/java/lib/security/cacerts" # the API's entrypoint adds private authorities to it
}

make_onyxia_api() {
  needs_onyxia
  mkdir -p "$1"/{app,etc,usr/local/bin,var/cache/onyxia}
  cp -a "$onyxia_build/onyxia-api-app/." "$1/app/"
  cp "$onyxia_build/bin/helm" "$1/usr/local/bin/"
  chown 101:101 "$1/var/cache/onyxia"
  tar -xOf "$layers/debian.tar" ./etc/passwd >"$1/etc/passwd"
  echo 'onyxia:x:101:101::/var/cache/onyxia:/usr/sbin/nologin' >>"$1/etc/passwd"
}

make_onyxia_web() {
  needs_onyxia
  on_debian "$1" nginx-light wget unzip # the last two for CUSTOM_RESOURCES
  cp -a "$onyxia_build/web" "$1/web"
  cp "$(readlink -f "$(command -v node)")" "$1/usr/local/bin/node"
  chmod -R a+rwX "$1/var/lib/nginx" "$1/var/log/nginx"
  echo 'nginx:x:101:101::/tmp:/usr/sbin/nologin' >>"$1/etc/passwd"
}
