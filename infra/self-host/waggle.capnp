# The whole mesh on one workerd of your own: control API, dashboard, balancer, and nodes' entry points.
# Edit the values below as needed; README.md beside this file says how to build and start it.

using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "waggle", worker = .waggle),
    # The registry's database. Its folder is given on the command line: --directory-path state=/var/lib/waggle
    (name = "state", disk = (path = "state", writable = true)),
    # Tasks may have private addresses.
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],

  # workerd opens sockets only when it starts: each published port that clients use directly has one here.
  # Services that are selected by host name need only "web".
  sockets = [
    # The control API for docker, waggle, agents and the dashboard. Outside of loopback put TLS in front.
    (name = "control", address = "127.0.0.1:8787", http = (),
     service = (name = "waggle", props = (json = "{\"for\": \"control\"}"))),
    # The host name selects the service; other requests go to the default service.
    (name = "web", address = "*:8000", http = (),
     service = (name = "waggle", props = (json = "{\"for\": \"traffic\"}"))),
    # Published port 8080, over the nodes that are up.
    (name = "port-8080", address = "*:8080", http = (),
     service = (name = "waggle", props = (json = "{\"for\": \"traffic\", \"port\": 8080}"))),
    # A node's own entry point, for another balancer in front:
    # (name = "node1-8080", address = "10.0.0.1:8080", http = (),
    #  service = (name = "waggle", props = (json = "{\"for\": \"traffic\", \"port\": 8080, \"node\": \"node1\"}"))),
  ],
);

const waggle :Workerd.Worker = (
  modules = [ (name = "worker.mjs", esModule = embed "worker.mjs") ],
  compatibilityDate = "2026-11-01",
  compatibilityFlags = ["enable_request_signal"],
  bindings = [
    # From the environment, so that no copied file contains it. Without it control refuses all requests.
    (name = "OPERATOR_TOKEN", fromEnvironment = "OPERATOR_TOKEN"),
    # For readers; optional.
    (name = "VIEWER_TOKEN", fromEnvironment = "VIEWER_TOKEN"),
    (name = "MESH_NAME", text = "waggle"),
    # Services are at NAME.MESH_DOMAIN, nodes at NODE.nodes.MESH_DOMAIN; empty: only by label and port.
    (name = "MESH_DOMAIN", text = ""),
    # Proxies in front whose X-Forwarded-* headers are trusted: addresses or CIDR blocks, comma-separated.
    (name = "TRUSTED_PROXIES", text = ""),
    # Addresses that nodes may have besides the one they connect from, comma-separated: addresses, networks, DNS
    # names, *.nodes.example.com. 127.0.0.1 is for agents on this machine, while only they can reach the socket
    # "control"; behind a TLS proxy every agent connects from there, so remove it then.
    (name = "NODE_ADDRESSES", text = "127.0.0.1"),
    # The addresses of the sockets "control" and "web": no task or server may lead there.
    (name = "OWN_SOCKETS", text = "127.0.0.1:8787,127.0.0.1:8000"),
    # Port of the socket "web", for links and explanations.
    (name = "BALANCER_PORT", text = "8000"),
    # Nodes may have IP addresses.
    (name = "MESH_MODE", text = "local"),
    (name = "CONTROL_HOST", text = ""),
    (name = "REGISTRY_LOCATION", text = ""),
    (name = "REGISTRY", durableObjectNamespace = "MeshRegistry"),
    (name = "TELEMETRY", durableObjectNamespace = "MeshTelemetry"),
    (name = "PROBER", durableObjectNamespace = "MeshProber"),
    (name = "TUNNEL", durableObjectNamespace = "MeshTunnel"),
    # Static servers are checked from this machine only.
    (name = "PROBE_REGIONS", text = ""),
  ],
  # The keys name the data on disk: another key starts an empty mesh.
  durableObjectNamespaces = [
    (className = "MeshRegistry", uniqueKey = "waggle-registry-v1", enableSql = true),
    (className = "MeshTelemetry", uniqueKey = "waggle-telemetry-v1", enableSql = true),
    (className = "MeshProber", uniqueKey = "waggle-prober-v1", enableSql = true),
    (className = "MeshTunnel", uniqueKey = "waggle-tunnel-v1", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "state"),
);
