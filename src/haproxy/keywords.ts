// HAProxy's other keywords: what the mesh does in their place, or that it does nothing.

import type { LineOutcome } from "./diagnostics.ts";

type Treatment = readonly [LineOutcome, note: string];

const limitTreatment: Treatment = ["as is", "the mesh bounds what it takes on by itself"];
const logTreatment: Treatment = [
  "could not",
  "the mesh keeps no access log; `waggle events` and the statistics tell what goes on",
];
const ruleTreatment: Treatment = ["could not", "the mesh does not rewrite, deny or redirect requests"];
const connectionTreatment: Treatment = ["as is", "connections are kept and closed by the edge"];
const tlsTreatment: Treatment = [
  "could not",
  "TLS ends at the edge: Cloudflare has the certificates of your zone",
];
const stickTreatment: Treatment = ["could not", "use `cookie NAME insert`, which becomes waggle.sticky"];

/** Keywords of proxies that say nothing of services and servers. */
export const keywordTreatments: Readonly<Record<string, Treatment>> = {
  maxconn: limitTreatment,
  fullconn: limitTreatment,
  backlog: limitTreatment,
  "rate-limit": ["could not", "use rate limiting rules of your zone"],
  log: logTreatment,
  "log-format": logTreatment,
  "log-format-sd": logTreatment,
  "log-tag": logTreatment,
  "error-log-format": logTreatment,
  capture: logTreatment,
  "unique-id-format": ["as is", "every request has an X-Request-Id"],
  "unique-id-header": ["as is", "every request has an X-Request-Id"],
  "http-request": ruleTreatment,
  "http-response": ruleTreatment,
  "http-after-response": ruleTreatment,
  "tcp-request": ruleTreatment,
  "tcp-response": ruleTreatment,
  redirect: ruleTreatment,
  rspadd: ruleTreatment,
  reqadd: ruleTreatment,
  errorfile: ["could not", "failures of the mesh are pages and JSON of its own"],
  errorloc: ["could not", "failures of the mesh are pages and JSON of its own"],
  errorloc302: ["could not", "failures of the mesh are pages and JSON of its own"],
  errorloc303: ["could not", "failures of the mesh are pages and JSON of its own"],
  errorfiles: ["could not", "failures of the mesh are pages and JSON of its own"],
  "http-error": ["could not", "failures of the mesh are pages and JSON of its own"],
  retries: ["as is", "a request that can be sent again goes on to another server, within a budget"],
  "retry-on": ["as is", "a request that can be sent again goes on to another server, within a budget"],
  "stick-table": stickTreatment,
  stick: stickTreatment,
  appsession: stickTreatment,
  persist: ["could not", "the mesh persists by cookie only"],
  "force-persist": ["could not", "a server that is down gets no requests"],
  "ignore-persist": ["could not", "the mesh persists by cookie only"],
  compression: ["as is", "the edge compresses what it sends to clients"],
  "monitor-uri": ["as is", "GET /mesh/health of the control Worker answers"],
  "monitor-net": ["could not", "GET /mesh/health of the control Worker answers everybody"],
  monitor: ["could not", "GET /mesh/health of the control Worker answers"],
  grace: ["as is", "servers are taken out with `waggle server set … --admin drain`"],
  description: ["as is", ""],
  id: ["as is", ""],
  guid: ["as is", ""],
  "bind-process": ["as is", "there are no processes to bind"],
  "http-reuse": connectionTreatment,
  "hash-type": ["could not", "hashes are by rendezvous: one server more or less moves its own share only"],
  "hash-balance-factor": ["could not", "hashes are not bounded by load"],
  "max-keep-alive-queue": connectionTreatment,
  "load-server-state-from-file": ["as is", "the registry keeps the state of servers"],
  "server-state-file-name": ["as is", "the registry keeps the state of servers"],
  dispatch: ["could not", "write it as a server"],
  "server-template": ["could not", "write each server"],
  "use-server": ["could not", "the mesh picks the server by its policy"],
  source: ["could not", "requests come from the edge's addresses"],
  transparent: ["could not", "requests come from the edge's addresses"],
  "email-alert": ["could not", "infra/ has alert rules for Prometheus"],
  filter: ruleTreatment,
  "use-fcgi-app": ["could not", "the mesh carries HTTP only"],
  "external-check": ["could not", "checks are TCP or HTTP"],
  "tcp-check": ["could not", "a TCP check connects and nothing more"],
  declare: logTreatment,
  "clitcpka-cnt": connectionTreatment,
  "clitcpka-idle": connectionTreatment,
  "clitcpka-intvl": connectionTreatment,
  "srvtcpka-cnt": connectionTreatment,
  "srvtcpka-idle": connectionTreatment,
  "srvtcpka-intvl": connectionTreatment,
  ssl: tlsTreatment,
  "quic-initial": tlsTreatment,
};

/** `option X` of proxies. */
export const optionTreatments: Readonly<Record<string, Treatment>> = {
  forwardfor: ["as is", "servers get X-Forwarded-For and Forwarded"],
  forwarded: ["as is", "servers get X-Forwarded-For and Forwarded"],
  originalto: ["could not", "servers get X-Forwarded-Host"],
  redispatch: ["as is", "a request that can be sent again goes on to another server"],
  httplog: logTreatment,
  tcplog: logTreatment,
  httpslog: logTreatment,
  dontlognull: logTreatment,
  "dontlog-normal": logTreatment,
  logasap: logTreatment,
  "log-health-checks": ["as is", "each change is an event: `waggle events`"],
  "log-separate-errors": logTreatment,
  "socket-stats": ["as is", ""],
  allbackups: ["taken", ""],
  "prefer-last-server": ["could not", "each request is balanced"],
  persist: ["could not", "a server that is down gets no requests"],
  "tcp-check": ["taken", ""],
  "ssl-hello-chk": ["could not", "the server is checked by a connection: `check-ssl` makes it a TLS one"],
  smtpchk: ["could not", "the mesh carries HTTP only"],
  "ldap-check": ["could not", "the mesh carries HTTP only"],
  "mysql-check": ["could not", "the mesh carries HTTP only"],
  "pgsql-check": ["could not", "the mesh carries HTTP only"],
  "redis-check": ["could not", "the mesh carries HTTP only"],
  "spop-check": ["could not", "the mesh carries HTTP only"],
  "external-check": ["could not", "checks are TCP or HTTP"],
  "splice-auto": connectionTreatment,
  "splice-request": connectionTreatment,
  "splice-response": connectionTreatment,
  abortonclose: connectionTreatment,
  "accept-invalid-http-request": ["could not", "requests have to be HTTP as RFC 9110 and 9112 have it"],
  "accept-invalid-http-response": ["could not", "answers have to be HTTP"],
  "accept-unsafe-violations-in-http-request": [
    "could not",
    "requests have to be HTTP as RFC 9110 and 9112 have it",
  ],
  clitcpka: connectionTreatment,
  srvtcpka: connectionTreatment,
  tcpka: connectionTreatment,
  contstats: ["as is", ""],
  "disable-h2-upgrade": connectionTreatment,
  "h1-case-adjust-bogus-client": ["could not", "header names go in lower case"],
  "h1-case-adjust-bogus-server": ["could not", "header names go in lower case"],
  "http-buffer-request": ["as is", "bodies that can be sent again are held"],
  "http-ignore-probes": connectionTreatment,
  "http-keep-alive": connectionTreatment,
  "http-no-delay": connectionTreatment,
  "http-pretend-keepalive": connectionTreatment,
  "http-restrict-req-hdr-names": ["could not", "header names pass as they are"],
  "http-server-close": connectionTreatment,
  "http-use-proxy-header": connectionTreatment,
  "http-use-htx": connectionTreatment,
  httpclose: connectionTreatment,
  forceclose: connectionTreatment,
  "independent-streams": connectionTreatment,
  nolinger: connectionTreatment,
  "tcp-smart-accept": connectionTreatment,
  "tcp-smart-connect": connectionTreatment,
  transparent: ["could not", "requests come from the edge's addresses"],
  checkcache: ["could not", "answers pass as they are"],
  httpchk: ["taken", ""],
};

/** The word of a list that is most like a misspelt one; null when none is. */
export function suggest(word: string, known: Iterable<string>): string | null {
  let best: string | null = null;
  let least = Math.min(3, Math.ceil(word.length / 3) + 1);
  for (const one of known) {
    const apart = editDistance(word, one);
    if (apart < least) [best, least] = [one, apart];
  }
  return best;
}

/** Letters to change, add or take away between two words. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
