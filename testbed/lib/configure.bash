# shellcheck shell=bash disable=SC2154  # home, run, pki, node and the like: from common.bash
# The configuration files of the cluster's parts, written into $run at every start, and the objects it starts with.

configure() {
  mkdir -p "$run/cni" "$home/var"
  rm -f "$run"/*.log
  configure_containerd
  configure_kubelet
  configure_names
  configure_pebble
  # Requests of the cluster's own parts, of pods and of the testbed are left out, so that a client's writes can be counted.
  cat >"$run/audit.yaml" <<END
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, userGroups: ["system:nodes", "system:serviceaccounts"]}
- {level: None, users: ["system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy", "system:apiserver", testbed]}
- {level: Metadata}
END
}

configure_containerd() {
  cat >"$run/cni/10-bridge.conflist" <<END
{"cniVersion": "1.0.0", "name": "$cni_network", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$run/ipam", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
  # restrict_oom_score_adj: this machine may not be allowed to lower an OOM score. netns_mounts_under_state_dir: pods'
  # namespaces are then found, and removed, in a folder of ours.
  cat >"$run/containerd.toml" <<END
version = 3
root = "$home/var/containerd"
state = "$containerd_state"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.tracing", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "$containerd_socket"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "registry.k8s.io/pause:3.10"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["/usr/lib/cni"]
  conf_dir = "$run/cni"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false
  BinaryName = "$(command -v runc)"
END
}

configure_kubelet() {
  cat >"$run/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
containerRuntimeEndpoint: unix://$containerd_socket
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
resolvConf: $run/resolv.conf
podLogsDir: $home/var/pod-logs
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: Webhook}
failSwapOn: false
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 200Mi, nodefs.available: 1%, imagefs.available: 1%}
maxPods: 200
END
}

# Names: CoreDNS answers on the node's address for the cluster and hands .test to the DNS server that owns demo.test.
configure_names() {
  echo "nameserver $node" >"$run/resolv.conf"
  echo "hosts: files dns" >"$run/nsswitch.conf"
  cat >"$run/Corefile" <<END
.:53 {
  bind $node
  errors
  kubernetes cluster.local in-addr.arpa {
    endpoint https://$node:6443
    kubeconfig $pki/testbed.kubeconfig testbed
  }
  forward test 127.0.0.1:5353
}
END
  # a run that was killed may have left it empty
  if [ ! -s "$run/tsig.secret" ]; then (umask 077 && openssl rand -base64 32 >"$run/tsig.secret"); fi
  (umask 077 && cat >"$run/tsig.key") <<END
key "onyxia." { algorithm hmac-sha256; secret "$(cat "$run/tsig.secret")"; };
END
}

configure_pebble() {
  cat >"$run/pebble.json" <<END
{"pebble": {
  "listenAddress": "0.0.0.0:14000", "managementListenAddress": "0.0.0.0:15000",
  "certificate": "$pki/acme.crt", "privateKey": "$pki/acme.key",
  "httpPort": 80, "tlsPort": 443, "keyAlgorithm": "ecdsa",
  "retryAfter": {"authz": 1, "order": 1},
  "profiles": {"default": {"description": "90 days", "validityPeriod": 7776000}}
}}
END
}

# cluster_objects: the Service of the cluster's DNS, a default storage class, and volumes for it: folders on this machine
cluster_objects() {
  cat <<END
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec: {clusterIP: 10.96.0.10, ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kube-dns-1, namespace: kube-system, labels: {kubernetes.io/service-name: kube-dns}}
addressType: IPv4
ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
endpoints: [{addresses: [$node], conditions: {ready: true}}]
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
END
  rm -rf "$home/var/volumes"
  local i
  for i in $(seq -w 30); do
    mkdir -p "$home/var/volumes/$i"
    cat <<END
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: volume-$i}
spec:
  capacity: {storage: 1Ti}
  accessModes: [ReadWriteOnce, ReadWriteMany]
  storageClassName: standard
  persistentVolumeReclaimPolicy: Retain
  local: {path: $home/var/volumes/$i}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node1]}]}]}}
END
  done
}
