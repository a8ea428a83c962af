// Which suites of test/e2e/ run under the rules of Cloudflare's platform, in the test project `edge`.

/**
 * By suite, why it does not run under the rules; null: it does. A reason is a fact of the platform or of the suite.
 * Single tests that cannot hold there say so themselves, by `isUnderPlatformRules`.
 */
export const edgeSuites: Readonly<Record<string, string | null>> = {
  agent: "starts no mesh: an agent, and a stand-in for the registry",
  "agent-file": null,
  attacks: null,
  backup: null,
  balancing: null,
  blame: null,
  "closed-port": null,
  credentials: null,
  dataplane: null,
  deploy: "starts no mesh: a stand-in for Cloudflare's API, and the Worker that wrangler uploads there",
  "early-response": null,
  edge: "sets the rules itself, one by one, in the project e2e",
  "edge-worker": "starts no mesh: the rules themselves, in a Worker of the test",
  "gateway-backpressure": "starts no mesh: a gateway, and a client in the place of its router",
  "gateway-limits": "starts no mesh: a gateway, and a client in the place of its router",
  "gateway-tls": "a Worker's `fetch` trusts public authorities only, so `--edge` refuses `--ca`",
  heads: null,
  http: null,
  ipv6: null,
  mesh: null,
  resent: null,
  "self-host": "the control plane on one's own machine, which has none of the platform's rules",
  "serve-first": "sets the rules itself, one by one, in the project e2e",
  "server-exit":
    "the exit is a port of the machine of a mesh: on Cloudflare static servers are reached by `fetch`",
  servers: null,
  smuggling: null,
  split:
    "a registry that is killed alone: `--edge` refuses `--split`, and Cloudflare replaces an object at once",
  start: null,
  "tcp-listener": "a Worker accepts no TCP connection: the mode tcp is one of nodes and balancers",
  transports: null,
  tunnel: "starts no mesh: the object of a tunnel, and a client in the place of its router",
  "up-variables": null,
  waiting: null,
  "wrong-url": "starts no mesh: other servers at the URL of a mesh",
};
