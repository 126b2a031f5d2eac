#!/bin/bash
# The few rules of the official PostgreSQL image that a chart relies on: PGDATA, POSTGRES_USER, POSTGRES_PASSWORD or
# POSTGRES_PASSWORD_FILE, POSTGRES_DB; the database is made at the first start and found again at every other.
set -e
bin=(/usr/lib/postgresql/*/bin) # there is one
export PATH=${bin[0]}:$PATH PGDATA=${PGDATA:-/var/lib/postgresql/data}
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /var/run/postgresql
  chown -R postgres "$PGDATA" /var/run/postgresql
  chmod 700 "$PGDATA"
  exec gosu postgres "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  user=${POSTGRES_USER:-postgres}
  database=${POSTGRES_DB:-$user}
  password=${POSTGRES_PASSWORD:-$(cat "$POSTGRES_PASSWORD_FILE")}
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  initdb --username="$user" --pwfile=<(echo "$password") --auth-host=scram-sha-256 --auth-local=trust
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -c unix_socket_directories=/tmp" -w start
  [ "$database" = postgres ] || createdb -h /tmp -U "$user" "$database"
  pg_ctl -D "$PGDATA" -m fast -w stop
fi
[ "$1" != postgres ] || shift
exec postgres -c jit=off -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
