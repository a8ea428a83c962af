# The whole mesh on one workerd of your own: control API, dashboard, balancer, and nodes' entry points.
# Text in capitals is yours to change; README.md beside this file says how it is built and started.

using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "waggle", worker = .waggle),
    # The registry's database. Its folder is given on the command line: --directory-path state=/var/lib/waggle
    (name = "state", disk = (path = "state", writable = true)),
    # Tasks are dialled at private addresses as well.
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],

  # workerd opens its sockets when it starts and never another: each published port that clients use directly has one
  # here. Services that are asked for by host name need none but "web".
  sockets = [
    # The control API for docker, waggle, agents and the dashboard. Elsewhere than on loopback put TLS in front of it.
    (name = "control", address = "127.0.0.1:8787", http = (),
     service = (name = "waggle", props = (json = "{\"for\": \"control\"}"))),
    # Host names decide here; what has none goes to the default service.
    (name = "web", address = "*:8000", http = (),
     service = (name = "waggle", props = (json = "{\"for\": \"traffic\"}"))),
    # Published port 8080, over the nodes that are up.
    (name = "port-8080", address = "*:8080", http = (),
     service = (name = "waggle", props = (json = "{\"for\": \"traffic\", \"port\": 8080}"))),
    # A node's own entry point, for a balancer of another kind in front:
    # (name = "node1-8080", address = "10.0.0.1:8080", http = (),
    #  service = (name = "waggle", props = (json = "{\"for\": \"traffic\", \"port\": 8080, \"node\": \"node1\"}"))),
  ],
);

const waggle :Workerd.Worker = (
  modules = [ (name = "worker.mjs", esModule = embed "worker.mjs") ],
  compatibilityDate = "2026-11-01",
  bindings = [
    # From the environment, so that it is in no file that is copied about. Without it nobody is let in.
    (name = "OPERATOR_TOKEN", fromEnvironment = "OPERATOR_TOKEN"),
    # May look and not act; without it nobody has that.
    (name = "VIEWER_TOKEN", fromEnvironment = "VIEWER_TOKEN"),
    (name = "MESH_NAME", text = "waggle"),
    # Services answer at NAME.MESH_DOMAIN, nodes at NODE.nodes.MESH_DOMAIN; empty: only by label and port.
    (name = "MESH_DOMAIN", text = ""),
    # Proxies in front whose X-Forwarded-* are believed: addresses or CIDR blocks, comma-separated.
    (name = "TRUSTED_PROXIES", text = ""),
    # Where the socket "web" is reached, for links and explanations.
    (name = "BALANCER_PORT", text = "8000"),
    # Nodes are reached at IP addresses too.
    (name = "MESH_MODE", text = "local"),
    (name = "CONTROL_HOST", text = ""),
    (name = "REGISTRY_LOCATION", text = ""),
    (name = "REGISTRY", durableObjectNamespace = "MeshRegistry"),
    (name = "TELEMETRY", durableObjectNamespace = "MeshTelemetry"),
    (name = "PROBER", durableObjectNamespace = "MeshProber"),
    # Static servers are probed from here alone.
    (name = "PROBE_REGIONS", text = ""),
  ],
  # The keys are the names of the data on disk: another key is an empty mesh.
  durableObjectNamespaces = [
    (className = "MeshRegistry", uniqueKey = "waggle-registry-v1", enableSql = true),
    (className = "MeshTelemetry", uniqueKey = "waggle-telemetry-v1", enableSql = true),
    (className = "MeshProber", uniqueKey = "waggle-prober-v1", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "state"),
);
