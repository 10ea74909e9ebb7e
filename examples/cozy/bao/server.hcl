# One node with its keys on the volume. Sealed at every start.
storage "raft" {
  path    = "/openbao/file"
  node_id = "bao"
}

# Plain HTTP: only the relay is on this network, and the network leads nowhere else.
listener "tcp" {
  address     = "0.0.0.0:8200"
  tls_disable = true
}

api_addr     = "http://bao:8200"
cluster_addr = "http://127.0.0.1:8201"

# Locking memory needs a capability that the container does not have; turn swap off instead.
disable_mlock = true
