// The outcome of lines that become neither a service nor a label, by keyword, with its note.

import type { DiagnosedLine, LineOutcome } from "./diagnostics.ts";

/** The diagnostic of a keyword. */
export type Treatment = readonly [LineOutcome, note: string];

const logTreatment: Treatment = [
  "could not",
  "the mesh has no access log; see `waggle events` and the statistics",
];
const ruleTreatment: Treatment = ["could not", "the mesh does not rewrite, deny or redirect requests"];
const errorPageTreatment: Treatment = ["could not", "the mesh has its own error pages, in HTML and JSON"];
const connectionTreatment: Treatment = ["could not", "the platform manages connections"];
const keepAliveTreatment: Treatment = ["could not", "the platform manages TCP keep-alives"];
const limitTreatment: Treatment = ["could not", "the mesh does not limit the connections of clients"];
const stickTreatment: Treatment = ["could not", "use `cookie NAME insert`, which becomes waggle.sticky"];
const requestIdTreatment: Treatment = [
  "could not",
  "every request has an X-Request-Id in the mesh's own form",
];
const addressTreatment: Treatment = ["could not", "requests come from the balancer's address"];
const validityTreatment: Treatment = ["could not", "messages must conform to RFC 9110 and RFC 9112"];
const fastCgiTreatment: Treatment = ["could not", "the mesh does not speak FastCGI"];
const checkTreatment: Treatment = ["could not", "a check opens a connection or sends an HTTP request"];
const reuseTreatment: Treatment = [
  "could not",
  "connections to servers are used again for requests that may be repeated",
];
const statsTreatment: Treatment = ["could not", "the balancer has its own statistics page: docs/stats.md"];
const healthTreatment: Treatment = ["could not", "use GET /mesh/health of the control Worker"];
const noEffect: Treatment = ["as is", "it has no effect on requests"];

/**
 * Keywords of proxies.
 *
 * @see docs/decisions/0040-haproxy-import.md
 */
const keywordTreatments: ReadonlyMap<string, Treatment> = new Map(
  Object.entries<Treatment>({
    maxconn: limitTreatment,
    "rate-limit": limitTreatment,
    backlog: limitTreatment,
    fullconn: ["as is", "it is about `minconn`, and maxconn is fixed"],
    log: logTreatment,
    "log-format": logTreatment,
    "log-format-sd": logTreatment,
    "log-tag": logTreatment,
    "log-steps": logTreatment,
    "error-log-format": logTreatment,
    capture: logTreatment,
    declare: logTreatment,
    "unique-id-format": requestIdTreatment,
    "unique-id-header": requestIdTreatment,
    "http-request": ruleTreatment,
    "http-response": ruleTreatment,
    "http-after-response": ruleTreatment,
    "tcp-request": ruleTreatment,
    "tcp-response": ruleTreatment,
    redirect: ruleTreatment,
    filter: ruleTreatment,
    errorfile: errorPageTreatment,
    errorloc: errorPageTreatment,
    errorloc302: errorPageTreatment,
    errorloc303: errorPageTreatment,
    errorfiles: errorPageTreatment,
    "http-error": errorPageTreatment,
    "retry-on": [
      "could not",
      "a request that may be repeated is sent again after any failure before a response",
    ],
    "stick-table": stickTreatment,
    stick: stickTreatment,
    persist: stickTreatment,
    "dynamic-cookie-key": ["as is", "the mesh signs its cookie with a key of its own"],
    "force-persist": ["could not", "a server that is down gets no requests"],
    "ignore-persist": ["could not", "a client with the sticky cookie stays with its server"],
    compression: ["could not", "the mesh does not compress; Cloudflare does, by the settings of your zone"],
    "monitor-uri": healthTreatment,
    monitor: healthTreatment,
    description: noEffect,
    id: noEffect,
    guid: noEffect,
    "bind-process": noEffect,
    "http-reuse": reuseTreatment,
    "max-keep-alive-queue": connectionTreatment,
    "max-session-srv-conns": connectionTreatment,
    "http-send-name-header": ["could not", "servers do not receive their name"],
    "hash-type": [
      "could not",
      "the mesh uses rendezvous hashing: adding or removing a server moves only its share",
    ],
    "hash-balance-factor": ["could not", "hashing is not bounded by load"],
    "load-server-state-from-file": ["as is", "the registry keeps the state of servers"],
    "server-state-file-name": ["as is", "the registry keeps the state of servers"],
    dispatch: ["could not", "write it as a server"],
    "server-template": ["could not", "write each server"],
    "use-server": ["could not", "the mesh picks the server by its policy"],
    source: addressTreatment,
    transparent: addressTreatment,
    "email-alert": ["could not", "use the alert rules for Prometheus in infra/"],
    "use-fcgi-app": fastCgiTreatment,
    "external-check": ["could not", "checks are TCP or HTTP"],
    "tcp-check": ["could not", "a TCP check only opens a connection"],
    "clitcpka-cnt": keepAliveTreatment,
    "clitcpka-idle": keepAliveTreatment,
    "clitcpka-intvl": keepAliveTreatment,
    "srvtcpka-cnt": keepAliveTreatment,
    "srvtcpka-idle": keepAliveTreatment,
    "srvtcpka-intvl": keepAliveTreatment,
    stats: statsTreatment,
    enabled: noEffect,
    "default-server": ["as is", "it changes nothing"],
  }),
);

/** Options of proxies (`option NAME`). */
const optionTreatments: ReadonlyMap<string, Treatment> = new Map(
  Object.entries<Treatment>({
    redispatch: ["as is", "each retry goes to another server"],
    originalto: ["could not", "servers do not receive X-Original-To"],
    forwarded: ["as is", "servers receive Forwarded"],
    httplog: logTreatment,
    tcplog: logTreatment,
    httpslog: logTreatment,
    dontlognull: logTreatment,
    "dontlog-normal": logTreatment,
    logasap: logTreatment,
    "log-separate-errors": logTreatment,
    "log-health-checks": ["as is", "each change is an event: `waggle events`"],
    "socket-stats": statsTreatment,
    contstats: statsTreatment,
    "prefer-last-server": ["could not", "each request is balanced separately"],
    persist: ["could not", "a server that is down gets no requests"],
    "ssl-hello-chk": ["could not", "use `check-ssl` for a check over TLS"],
    smtpchk: checkTreatment,
    "ldap-check": checkTreatment,
    "mysql-check": checkTreatment,
    "pgsql-check": checkTreatment,
    "redis-check": checkTreatment,
    "spop-check": checkTreatment,
    "external-check": ["could not", "checks are TCP or HTTP"],
    "splice-auto": ["as is", "it has no effect on what clients and servers receive"],
    "splice-request": ["as is", "it has no effect on what clients and servers receive"],
    "splice-response": ["as is", "it has no effect on what clients and servers receive"],
    "tcp-smart-accept": ["as is", "it has no effect on what clients and servers receive"],
    "tcp-smart-connect": ["as is", "it has no effect on what clients and servers receive"],
    "http-use-htx": noEffect,
    abortonclose: ["could not", "a request whose client has left may still reach a server"],
    "accept-invalid-http-request": validityTreatment,
    "accept-invalid-http-response": validityTreatment,
    "accept-unsafe-violations-in-http-request": validityTreatment,
    "accept-unsafe-violations-in-http-response": validityTreatment,
    clitcpka: keepAliveTreatment,
    srvtcpka: keepAliveTreatment,
    tcpka: keepAliveTreatment,
    "h1-case-adjust-bogus-client": ["could not", "header names are sent in lower case"],
    "h1-case-adjust-bogus-server": ["could not", "header names are sent in lower case"],
    "http-buffer-request": ["could not", "a request is sent on while its body arrives"],
    "http-keep-alive": ["as is", "connections are kept open"],
    "http-restrict-req-hdr-names": ["could not", "header names pass unchanged"],
    transparent: addressTreatment,
    checkcache: ["could not", "responses pass unchanged"],
  }),
);

/** What `timeout NAME` says of the lines that become no label. */
const timeoutTreatments: ReadonlyMap<string, Treatment> = new Map(
  Object.entries<Treatment>({
    connect: ["could not", "the time to connect counts toward the time to the response"],
    "client-fin": connectionTreatment,
    "server-fin": connectionTreatment,
    "http-request": ["could not", "the listener limits the time of a request's head, not each frontend"],
    "http-keep-alive": connectionTreatment,
    tunnel: ["could not", "WebSockets have no timeout"],
    tarpit: ["could not", "the mesh does not delay clients"],
  }),
);

/** The treatment of a line of a proxy. */
export function treatmentOf({ words }: Pick<DiagnosedLine, "words">): Treatment {
  const [head = "", second = "", third = ""] = words;
  if (head === "no" && second === "log") return ["as is", "the mesh has no access log"];
  if (head === "no" || head === "default") return negatedTreatment(third);
  if (head === "option") {
    if (second === "forwardfor") return forwardforTreatment(words);
    return optionTreatments.get(second) ?? connectionTreatment;
  }
  if (head === "http-reuse" && (second === "always" || second === "aggressive"))
    return ["as is", "connections to servers are used again"];
  if (head === "retry-on" && words.length === 2 && second === "conn-failure")
    return ["as is", "a request is sent again if no connection to the server is possible"];
  if (head === "timeout") return timeoutTreatments.get(second) ?? connectionTreatment;
  return keywordTreatments.get(head) ?? ["could not", "the mesh has no counterpart"];
}

/** `no option NAME`: without the option the mesh does the same, except for those that it always has. */
function negatedTreatment(name: string): Treatment {
  if (name === "redispatch") return ["could not", "a request is never sent to the same server again"];
  if (name === "http-keep-alive" || name === "log-health-checks") return noEffect;
  return ["as is", "the mesh does not do this"];
}

function forwardforTreatment(words: readonly string[]): Treatment {
  const changed = words.slice(2).find((word) => word === "header" || word === "except" || word === "if-none");
  if (changed === undefined) return ["as is", "servers receive X-Forwarded-For"];
  return ["could not", `${changed}: every server receives the client's address in X-Forwarded-For`];
}

/** Keywords of `global` about HAProxy's own process, which does not run. */
const processKeywords: ReadonlySet<string> = new Set([
  ...["busy-polling", "chroot", "close-spread-time", "cpu-map", "cpu-policy", "cpu-set", "daemon"],
  ...["description", "fd-hard-limit", "gid", "grace", "group", "hard-stop-after", "localpeer"],
  ...[
    "master-worker",
    "maxpipes",
    "mworker-max-reloads",
    "nbthread",
    "no-memory-trimming",
    "node",
    "noepoll",
  ],
  ...["noevports", "nokqueue", "nopoll", "noreuseport", "nosplice", "numa-cpu-mapping", "pidfile"],
  ...["prealloc-fd", "quick-exit", "quiet", "set-dumpable", "setcap", "strict-limits", "thread-group"],
  ...["thread-groups", "thread-hard-limit", "uid", "ulimit-n", "unix-bind", "user", "zero-warning"],
  ...["profiling.memory", "profiling.tasks", "default-path", "expose-experimental-directives"],
  ...["expose-deprecated-directives", "insecure-fork-wanted", "insecure-setuid-wanted"],
]);
const stateKeywords: ReadonlySet<string> = new Set([
  ...["load-server-state-from-file", "server-state-base", "server-state-file"],
]);
const environmentKeywords: ReadonlySet<string> = new Set(["presetenv", "resetenv", "setenv", "unsetenv"]);

/** The treatment of a line of the `global` section. */
export function globalTreatment({ words }: Pick<DiagnosedLine, "words">): Treatment {
  const [head = "", second = ""] = words;
  const keyword = head === "no" ? second : head;
  if (processKeywords.has(keyword)) return ["as is", "it is about HAProxy's own process"];
  if (stateKeywords.has(keyword)) return ["as is", "the registry keeps the state of servers"];
  if (environmentKeywords.has(keyword)) return ["as is", "its variables are replaced in the lines after it"];
  if (head === "no") return ["as is", "the mesh does not do this"];
  if (keyword.startsWith("log")) return logTreatment;
  if (/^(max|tune\.|spread-checks)/.test(keyword)) return ["could not", "the mesh has its own limits"];
  if (/ssl|crt-base|ca-base|ocsp|issuers/.test(keyword))
    return ["could not", "the platform chooses the settings of TLS"];
  if (keyword === "stats") return ["could not", "use the control API of the mesh"];
  if (keyword.startsWith("lua-")) return ["could not", "the mesh runs no Lua scripts"];
  return ["could not", "the mesh has no counterpart"];
}
