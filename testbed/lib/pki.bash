# shellcheck shell=bash disable=SC2154  # home, pki, bin, node: from common.bash
# The cluster's keys, certificates and kubeconfigs, made once and kept in $pki for every later start.

# make_pki: all of it, or nothing if it is there
make_pki() {
  [ ! -d "$pki" ] || return 0
  local part=$home/pki.part
  rm -rf "$part" && mkdir -p "$part"
  ( umask 077 && cd "$part" && make_certificates && make_kubeconfigs )
  mv "$part" "$pki"
}

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

# authority NAME: a self-signed certificate NAME.crt with key NAME.key
authority() {
  new_key "$1.key"
  openssl req -x509 -new -key "$1.key" -out "$1.crt" -days 3650 -subj "/CN=testbed $1" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
}

# certificate AUTHORITY NAME SUBJECT EXTENSION
certificate() {
  new_key "$2.key"
  openssl req -new -key "$2.key" -subj "$3" 2>/dev/null |
    openssl x509 -req -CA "$1.crt" -CAkey "$1.key" -CAcreateserial -days 3650 -out "$2.crt" -extfile <(echo "$4") 2>/dev/null
}

# clients of the API server: name and subject. testbed is the testbed's own (DNS, load balancer), left out of the audit log.
clients=(admin:/O=system:masters/CN=admin testbed:/O=system:masters/CN=testbed kcm:/CN=system:kube-controller-manager
  scheduler:/CN=system:kube-scheduler proxy:/CN=system:kube-proxy kubelet:/O=system:nodes/CN=system:node:node1
  apiserver-kubelet:/O=system:masters/CN=apiserver-kubelet)

make_certificates() {
  local client
  authority ca
  certificate ca apiserver /CN=kube-apiserver \
    "subjectAltName=IP:127.0.0.1,IP:$node,IP:10.96.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
  for client in "${clients[@]}"; do
    certificate ca "${client%%:*}" "${client#*:}" extendedKeyUsage=clientAuth
  done
  new_key sa.key
  openssl ec -in sa.key -pubout -out sa.pub 2>/dev/null
  # the ACME server's own HTTPS, which is no public authority's either
  authority acme-ca
  certificate acme-ca acme /CN=acme "subjectAltName=IP:127.0.0.1,IP:$node,DNS:localhost,DNS:acme.demo.test"
}

make_kubeconfigs() {
  local client
  for client in admin testbed kcm scheduler proxy kubelet; do
    export KUBECONFIG=$PWD/$client.kubeconfig
    {
      "$bin/kubectl" config set-cluster testbed --server="https://$node:6443" --certificate-authority=ca.crt --embed-certs
      "$bin/kubectl" config set-credentials "$client" --client-certificate="$client.crt" --client-key="$client.key" --embed-certs
      "$bin/kubectl" config set-context testbed --cluster=testbed --user="$client"
      "$bin/kubectl" config use-context testbed
    } >/dev/null
  done
}
