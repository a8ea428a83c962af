// The keywords of the sections that are not proxies, of HAProxy 2.6 and of later versions.

import { tableParams } from "./proxy-usage.ts";
import { bindParams, logUsage, serverParams } from "./shared-usage.ts";
import { compileUsages, type Usage } from "./usage.ts";
import { values } from "./values.ts";

const globalText = `
anonkey <n>
busy-polling
ca-base <word>
chroot <word>
close-spread-time <word>
cluster-secret <word>
cpu-map <word> <word>
cpu-policy <word> ...
cpu-set <word> ...
crt-base <word>
daemon
default-path ( current | config | parent | origin <word> )
description ...
deviceatlas-json-file <word>
deviceatlas-log-level <word>
deviceatlas-properties-cookie <word>
deviceatlas-separator <word>
dns-accept-family <word>
expose-deprecated-directives ...
expose-experimental-directives ...
external-check [ preserve-env ]
fd-hard-limit <n>
force-cfg-parser-pause <time>
gid <n>
grace <time>
group <word>
h1-accept-payload-with-any-method
h1-case-adjust <word> <word>
h1-case-adjust-file <word>
h1-do-not-close-on-insecure-transfer-encoding
h2-workaround-bogus-websocket-clients
hard-stop-after <time> ...
harden.reject-privileged-ports.quic ( on | off )
harden.reject-privileged-ports.tcp ( on | off )
http-err-codes <word> ...
http-fail-codes <word> ...
httpclient.resolvers.disabled ( on | off )
httpclient.resolvers.id <word>
httpclient.resolvers.prefer ( ipv4 | ipv6 )
httpclient.retries <n>
httpclient.ssl.ca-file <word>
httpclient.ssl.verify ...
httpclient.timeout.connect <time>
insecure-fork-wanted
insecure-setuid-wanted
issuers-chain-path <word>
key-base <word>
limited-quic
load-server-state-from-file ( global | local | none )
localpeer <word>
log-send-hostname [ <word> ]
log-tag <word>
lua-load <word> ...
lua-load-per-thread <word> ...
lua-prepend-path <word> [ path | cpath ]
master-worker [ no-exit-on-failure ]
max-spread-checks <time>
maxcompcpuusage <word>
maxcomprate <word>
maxconn <word>
maxconnrate <word>
maxpipes <word>
maxsessrate <word>
maxsslconn <word>
maxsslrate <word>
maxzlibmem <word>
mworker-max-reloads <n>
nbthread <n>
no ( busy-polling | insecure-fork-wanted | log | numa-cpu-mapping | set-dumpable | strict-limits | option ... | quic ... )
no-memory-trimming
no-quic
node <word>
noepoll
noevports
nogetaddrinfo
nokqueue
nopoll
noreuseport
nosplice
numa-cpu-mapping
ocsp-update.disable ( on | off )
ocsp-update.httpproxy <word>
ocsp-update.maxdelay <n>
ocsp-update.mindelay <n>
ocsp-update.mode ( on | off )
pidfile <word>
pp2-never-send-local
prealloc-fd
presetenv <word> <word> ...
profiling.memory ( on | off )
profiling.tasks ( auto | on | off ) ...
quick-exit
quiet
resetenv ...
security-level <word>
server-state-base <word>
server-state-file <word>
set-dumpable
set-var <word> <expr> ...
set-var-fmt <word> <fmt>
setcap <word>
setenv <word> <word> ...
shm-stats-file <word>
shm-stats-file-max-objects <n>
spread-checks <int>
ssl-default-bind-ciphers <word>
ssl-default-bind-ciphersuites <word>
ssl-default-bind-client-sigalgs <word>
ssl-default-bind-curves <word>
ssl-default-bind-options { <tls-option> }
ssl-default-bind-sigalgs <word>
ssl-default-server-ciphers <word>
ssl-default-server-ciphersuites <word>
ssl-default-server-client-sigalgs <word>
ssl-default-server-curves <word>
ssl-default-server-options { <tls-option> }
ssl-default-server-sigalgs <word>
ssl-dh-param-file <word>
ssl-engine <word> ...
ssl-load-extra-del-ext
ssl-load-extra-files { all | none | sctl | ocsp | issuer | bundle | key }
ssl-mode-async
ssl-passphrase-cmd <word> ...
ssl-propquery <word>
ssl-provider <word>
ssl-provider-path <word>
ssl-security-level <n>
ssl-server-verify ( none | required )
ssl-skip-self-issued-ca
stats bind-process ...
stats calculate-max-counters ( on | off )
stats maxconn <n>
stats socket <address> { ${bindParams} }
stats timeout <time>
stats-file <word>
strict-limits
thread-group <n> ...
thread-groups <n>
thread-hard-limit <n>
trace ...
uid <n>
ulimit-n <word>
unix-bind { prefix [ <word> ] | mode [ <word> ] | uid [ <word> ] | gid [ <word> ] | user [ <word> ] | group [ <word> ] }
unsetenv <word> ...
user <word>
warn-blocked-traffic-after <time>
wurfl-cache-size <word>
wurfl-data-file <word>
wurfl-information-list <word> ...
wurfl-information-list-separator <word>
wurfl-patch-file <word> ...
51degrees-allow-unmatched <word>
51degrees-cache-size <word>
51degrees-data-file <word>
51degrees-difference <word>
51degrees-drift <word>
51degrees-property-name-list <word> ...
51degrees-property-separator <word>
51degrees-use-performance-graph <word>
51degrees-use-predictive-graph <word>
zero-warning
${logUsage}
`;

/** `tune.NAME` with one value. */
const tuneNames = `
applet.zero-copy-forwarding buffers.limit buffers.reserve bufsize bufsize.small chksize comp.maxlevel
cli.max-payload-size default-max-requests disable-fast-forward disable-zero-copy-forwarding epoll.mask-events
events.max-events-at-once fail-alloc fd.edge-triggered glitches.kill.cpu-usage h1.be.glitches-threshold
h1.fe.glitches-threshold h1.zero-copy-fwd-recv h1.zero-copy-fwd-send h2.be.glitches-threshold
h2.be.initial-window-size h2.be.max-concurrent-streams h2.be.max-frames-at-once h2.be.rxbuf
h2.fe.glitches-threshold h2.fe.initial-window-size h2.fe.max-concurrent-streams h2.fe.max-frames-at-once
h2.fe.max-rst-at-once h2.fe.max-total-streams h2.fe.rxbuf h2.header-table-size h2.initial-window-size
h2.log-errors h2.max-concurrent-streams h2.max-frame-size h2.zero-copy-fwd-send http.cookielen http.logurilen
http.maxhdr idle-pool.shared idletimer listener.default-shards listener.multi-queue lua.bool-sample-conversion
lua.burst-timeout lua.forced-yield lua.log.loggers lua.log.stderr lua.maxmem lua.openlibs lua.service-timeout
lua.session-timeout lua.task-timeout max-checks-per-thread max-rules-at-once maxaccept maxpollevents
maxrewrite memory.hot-size notsent-lowat.client notsent-lowat.server pattern.cache-size
peers.max-updates-at-once pipesize pool-high-fd-ratio pool-low-fd-ratio pt.zero-copy-forwarding
rcvbuf.backend rcvbuf.client rcvbuf.frontend rcvbuf.server recv_enough renice.runtime renice.startup
ring.queues runqueue-depth sched.low-latency sndbuf.backend sndbuf.client sndbuf.frontend sndbuf.server
ssl.cachesize ssl.capture-buffer-size ssl.capture-cipherlist-size ssl.certificate-compression
ssl.default-dh-param ssl.force-private-cache ssl.hard-maxrecord ssl.keylog ssl.lifetime ssl.maxrecord
ssl.ocsp-update.maxdelay ssl.ocsp-update.mindelay ssl.ssl-ctx-cache-size stick-counters takeover-other-tg-connections
vars.check-max-size vars.global-max-size vars.proc-max-size vars.reqres-max-size vars.sess-max-size
vars.txn-max-size zlib.memlevel zlib.windowsize
`;

const tuneText = tuneNames
  .split(/\s+/)
  .filter((name) => name !== "")
  .map((name) => `tune.${name} ${tuneValue(name)}`)
  .join("\n");

/** HAProxy needs one value, except for those of which it reads no word or ignores further ones. */
function tuneValue(name: string): string {
  if (/^(vars\.|lua\.forced|fail-alloc|ssl\.force-private|h2\.)/.test(name)) return "...";
  return /^(lua\.|pattern\.)/.test(name) ? "<word> ..." : "<word>";
}

const texts: Readonly<Record<string, string>> = {
  global: `${globalText}\n${tuneText}`,
  peers: `
bind <binds> { ${bindParams} }
default-bind { ${bindParams} }
default-server { ${serverParams} }
disabled
enabled
peer <name> [ <server-address> { ${serverParams} } ]
server <name> [ <server-address> { ${serverParams} } ]
shards <n>
table <word> { ${tableParams} }
${logUsage}
`,
  resolvers: `
accepted_payload_size <n>
hold ( nx | other | refused | timeout | valid | obsolete ) <time>
nameserver <name> <address:port> { ${serverParams} }
parse-resolv-conf
resolve_retries <n>
timeout ( resolve | retry ) <time>
`,
  userlist: `
group <word> [ users <word> ]
user <word> { password <word> | insecure-password <word> | groups <word> }
`,
  mailers: `
mailer <name> <address:port>
timeout mail <time>
`,
  program: `
command <word> ...
group <word>
option start-on-reload
no option start-on-reload
user <word>
`,
  cache: `
max-age <atol>
max-object-size <atol>
max-secondary-entries <atol>
process-vary ( on | off )
total-max-size <atol>
`,
  "http-errors": `
errorfile <error-code> <word>
`,
  ring: `
backing-file <word>
description ...
format ( iso | local | priority | raw | rfc3164 | rfc5424 | short | timed )
maxlen <n>
server <name> <server-address> { ${serverParams} }
size <size>
timeout ( connect | server ) <time>
`,
  "log-forward": `
backlog <word>
bind <binds> { ${bindParams} }
dgram-bind <binds> { ${bindParams} }
maxconn <word>
option ( assume-rfc6587-ntf | dont-parse-log | host ... )
timeout client <time>
${logUsage}
`,
  "fcgi-app": `
acl <name> <acl>
docroot <word>
index <word>
log-stderr global
log-stderr <log-target> [ len <n> ] [ format <word> ] [ sample <word> ] <word> ...
option ( get-values | keep-conn | max-reqs <n> | mpxs-conns )
no option ( get-values | keep-conn | mpxs-conns )
pass-header <word> [ <cond> ]
path-info <regex>
set-param <word> <fmt> [ <cond> ]
`,
  "crt-store": `
crt-base <word>
key-base <word>
load ...
`,
  "log-profile": `
log-tag <word>
on <word> ...
`,
  acme: `
account-key <word>
bits <n>
challenge <word>
challenge-ready <word> ...
contact <word>
curves <word>
directory <word>
keytype <word>
map <word>
profile <word>
provider-name <word>
`,
  traces: `
trace ...
`,
};

const otherUsages: ReadonlyMap<string, ReadonlyMap<string, Usage>> = new Map(
  Object.entries(texts).map(([kind, text]) => [kind, compileUsages(text, values)]),
);

/** The sections that are not proxies. */
export const otherSectionKinds: readonly string[] = [...otherUsages.keys()];

/** The keywords of a section that is not a proxy; undefined for another word. */
export function otherSectionUsages(kind: string): ReadonlyMap<string, Usage> | undefined {
  return otherUsages.get(kind);
}
