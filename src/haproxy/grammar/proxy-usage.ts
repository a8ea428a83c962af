// The keywords of `defaults`, `frontend`, `listen` and `backend` sections: HAProxy 2.6, and those that later
// versions added.

import { bindParams, logLevel, logUsage, serverParams } from "./shared-usage.ts";
import { compileUsages } from "./usage.ts";
import { values } from "./values.ts";

const cond = "[ <cond> ]";
const replyParams =
  "status <code> | content-type <word> | errorfile <word> | errorfiles <errors> | default-errorfiles | file <word> | lf-file <word> | string <word> | lf-string <fmt> | hdr <word> <fmt>";
const method = "( str | beg | end | sub | reg )";
const redirectUsage =
  "{ location <fmt> | prefix <fmt> | scheme <fmt> | code ( 301 | 302 | 303 | 307 | 308 ) | drop-query | append-slash | ignore-empty | keep-query | set-cookie <word> | set-cookie-fmt <fmt> | clear-cookie <word> }";

/** Actions of several kinds of rules, about variables, counters, maps and the connection. */
const sharedActions = [
  ...["add-acl(*) <fmt>", "del-acl(*) <fmt>", "del-map(*) <fmt>", "set-map(*) <fmt> <fmt>"],
  ...["sc-add-gpc(*) ( <int> | <expr> )", "sc-inc-gpc(*)", "sc-inc-gpc0(*)", "sc-inc-gpc1(*)"],
  ...["sc-set-gpt(*) ( <int> | <expr> )", "sc-set-gpt0(*) ( <int> | <expr> )"],
  ...["<set-var> <expr>", "<set-var-fmt> <fmt>", "<unset-var>", "silent-drop [ rst-ttl <n> ]"],
  ...["set-mark <word>", "set-tos <word>", "set-fc-mark <word>", "set-fc-tos <word>"],
  ...["set-bc-mark <word>", "set-bc-tos <word>"],
  ...["set-nice <int>", `set-log-level ( ${logLevel} | silent )`, "send-spoe-group <word> <word>"],
  "ot-group <word> <word>",
];
const trackActions = Array.from({ length: 10 }, (_, at) => `track-sc${at} <expr> [ table <table> ]`);
const headerActions = [
  ...["add-header <word> <fmt>", `del-header <word> [ -m ${method} ]`, "set-header <word> <fmt>"],
  ...["replace-header <word> <regex> <fmt>", "replace-value <word> <regex> <fmt>"],
  ...["strict-mode ( on | off )", "allow", "do-log", "pause <expr>"],
];
const addressActions = [
  ...["set-dst <expr>", "set-dst-port <expr>", "set-src <expr>", "set-src-port <expr>"],
];
const bodyActions = ["wait-for-body time <time> [ at-least <size> ]"];
const captureAction = "capture <expr> ( len <n> | id <n> )";

const requestActions = [
  ...[...sharedActions, ...trackActions, ...headerActions, ...addressActions, ...bodyActions, captureAction],
  ...["auth [ realm <word> ]", "cache-use <cache>", `deny { deny_status <n> | ${replyParams} }`],
  ...["disable-l7-retry", "do-resolve(*) <expr>", "early-hint <word> <fmt>"],
  ...["normalize-uri ( fragment-encode | fragment-strip | path-merge-slashes | path-strip-dot )"],
  ...["normalize-uri path-strip-dotdot [ full ]", "normalize-uri percent-decode-unreserved [ strict ]"],
  ...["normalize-uri percent-to-uppercase [ strict ]", "normalize-uri query-sort-by-name"],
  ...[`redirect ${redirectUsage}`, "reject", "replace-path <regex> <fmt>", "replace-pathq <regex> <fmt>"],
  ...["replace-uri <regex> <fmt>", `return { ${replyParams} }`, "set-method <fmt>", "set-path <fmt>"],
  ...["set-pathq <fmt>", "set-priority-class <expr>", "set-priority-offset <expr>", "set-query <fmt>"],
  ...["set-timeout ( server | tunnel | client ) ( <time> | <expr> )", "set-uri <fmt>"],
  ...[`tarpit { deny_status <n> | ${replyParams} }`, "use-service <service>", "wait-for-handshake"],
];
const responseActions = [
  ...[...sharedActions, ...trackActions, ...headerActions, ...bodyActions, captureAction],
  ...["cache-store <cache>", `deny { deny_status <n> | ${replyParams} }`, `redirect ${redirectUsage}`],
  ...[
    `return { ${replyParams} }`,
    "set-status <n> [ reason <word> ]",
    "set-timeout ( client ) ( <time> | <expr> )",
  ],
];
const afterResponseActions = [
  ...[...sharedActions, ...headerActions, captureAction, "set-status <n> [ reason <word> ]"],
];
const tcpConnectionActions = [
  ...[...sharedActions, ...trackActions, ...addressActions, "accept", "reject", "expect-proxy layer4"],
  ...["expect-netscaler-cip layer4", "attach-srv <word>"],
];
const tcpContentActions = [
  ...[...sharedActions, ...trackActions, ...addressActions, captureAction, "accept", "reject"],
  ...["do-resolve(*) <expr>", "set-priority-class <expr>", "set-priority-offset <expr>"],
  ...["switch-mode http [ proto <word> ]", "use-service <service>"],
];
const tcpResponseActions = [...sharedActions, "accept", "close", "reject"];

/** A Lua script defines actions of its own. */
const luaAction = "<lua-action>";

function ruleUsage(keyword: string, actions: readonly string[]): string {
  return [...actions, luaAction].map((action) => `${keyword} ${action} ${cond}`).join("\n");
}

const httpVersion = "<word>";
const sendParams = `uri <word> | uri-lf <fmt> | meth <word> | ver ${httpVersion} | hdr <word> <fmt> | body <word> | body-lf <fmt> | comment <word>`;
const connectParams =
  "default | port <word> | addr <address> | send-proxy | via-socks4 | ssl | sni <word> | alpn <word> | proto <word> | linger | comment <word>";
const checkStatus =
  "( L4OK | L4TOUT | L4CON | L6OK | L6TOUT | L6RSP | L7TOUT | L7RSP | L7OK | L7OKC | L7STS )";
const expectParams = `comment <word> | min-recv <int> | ok-status ${checkStatus} | error-status ${checkStatus} | tout-status ${checkStatus} | on-success <fmt> | on-error <fmt> | status-code <expr>`;
const nameMatch = `( name-lf [ -m ${method} ] <fmt> | name [ -m ${method} ] <word> )`;
const valueMatch = `[ value-lf { -m ${method} | full } <fmt> | value { -m ${method} | full } <word> ]`;
const httpMatch = negatable([
  ...["status <status-list>", "rstatus <regex>", "string <word>", "string-lf <fmt>", "rstring <regex>"],
  ...[`hdr ${nameMatch} ${valueMatch}`, `fhdr ${nameMatch} ${valueMatch}`],
]);
const tcpMatch = negatable([
  ...["string <word>", "string-lf <fmt>", "rstring <regex>", "binary <word>", "binary-lf <fmt>"],
  ...["rbinary <word>", "custom"],
]);

/** Forms that `!` may precede, as a word of its own or not. */
function negatable(forms: readonly string[]): string {
  return `[ ! ] ( ${forms.flatMap((form) => [form, `!${form}`]).join(" | ")} )`;
}

const stickType = "( ip | ipv6 | integer | string [ len <n> ] | binary [ len <n> ] )";
export const tableParams = `type ${stickType} | size <size> | expire <time> | nopurge | peers <peers> | srvkey ( addr | name ) | store [ <store> ] | recv-only | write-to <word>`;

const retryReason =
  "( none | conn-failure | empty-response | junk-response | response-timeout | 0rtt-rejected | all-retryable-errors | 401 | 403 | 404 | 408 | 421 | 425 | 429 | 500 | 501 | 502 | 503 | 504 )";

/** Options without arguments, which `no option` takes back. */
const switchOptions = [
  ...["abortonclose", "accept-invalid-http-request", "accept-invalid-http-response", "allbackups"],
  ...["accept-unsafe-violations-in-http-request", "accept-unsafe-violations-in-http-response"],
  ...["assume-rfc6587-ntf", "checkcache", "clitcpka", "contstats", "disable-h2-upgrade", "dontlog-normal"],
  ...["dontlognull", "forwarded", "h1-case-adjust-bogus-client", "h1-case-adjust-bogus-server"],
  ...["http-buffer-request", "http-drop-request-trailers", "http-drop-response-trailers"],
  ...["http-ignore-probes", "http-keep-alive", "http-no-delay", "http-pretend-keepalive"],
  ...["http-server-close", "http-use-htx", "http-use-proxy-header", "httpclose", "idle-close-on-response"],
  ...["independent-streams", "log-health-checks", "log-separate-errors", "logasap", "nolinger", "persist"],
  ...["prefer-last-server", "socket-stats", "splice-auto", "splice-request", "splice-response"],
  ...["srvtcpka", "tcp-smart-accept", "tcp-smart-connect", "transparent", "use-small-buffers"],
];

/** `option NAME` with its arguments. */
const argumentOptions = `
external-check
forwardfor { except <network> | header <word> | if-none }
forwarded { proto | host | host-expr <expr> | by | by-expr <expr> | by_port | by_port-expr <expr> | for | for-expr <expr> | for_port | for_port-expr <expr> }
http-restrict-req-hdr-names ( preserve | reject | delete )
httpchk [ <word> [ <word> [ <http-check-version> ] ] ]
httplog [ clf ]
httpslog
ldap-check
mysql-check [ user <word> [ post-41 | pre-41 ] ]
originalto { except <network> | header <word> }
pgsql-check user <word>
redis-check
redispatch ...
smtpchk [ <word> <word> ]
spop-check
ssl-hello-chk
tcp-check
tcpka
tcplog [ clf ]
`;

const optionUsage = [...switchOptions, ...argumentOptions.split("\n").filter((line) => line !== "")].join(
  " | ",
);

/** Options that `no option` and `default option` take back. */
const negatableOptions: readonly string[] = [...switchOptions, "redispatch"];

const usageText = `
acl <name> <acl>
backlog <word>
balance ( roundrobin | static-rr | leastconn | first | source | log-hash <word> | sticky ) ...
balance uri { whole | path-only | len <n> | depth <n> }
balance url_param <word> [ check_post ... ]
balance hdr(*) [ use_domain_only ]
balance ( random(*) | random | rdp-cookie(*) | rdp-cookie )
balance hash <expr>
balance
bind <binds> { ${bindParams} }
bind-process { all | odd | even | <process> }
capture cookie <word> len <word> ...
capture ( request | response ) header <word> len <word>
clitcpka-cnt <word>
clitcpka-idle <time>
clitcpka-intvl <time>
compression ( algo | algo-res ) ( identity | gzip | deflate | raw-deflate ) { identity | gzip | deflate | raw-deflate }
compression algo-req ( identity | gzip | deflate | raw-deflate )
compression ( type | type-req | type-res ) <word> ...
compression offload ...
compression ( direction <word> | minsize-req <size> | minsize-res <size> )
cookie <word> { rewrite | insert | prefix | indirect | nocache | postonly | preserve | httponly | secure | dynamic | domain <word> | maxidle <seconds> | maxlife <seconds> | attr <word> }
crt <word> ...
declare capture ( request | response ) len <n>
default-server { ${serverParams} }
default_backend <backend>
description <word> ...
disabled
dispatch <address:port> ...
dynamic-cookie-key <word> ...
email-alert ( from <word> | mailers <word> | myhostname <word> | to <word> | level ${logLevel} ) ...
enabled
error-log-format <fmt>
errorfile <error-code> <word> ...
errorfiles <errors> { <error-code> }
errorloc <error-code> <word> ...
errorloc302 <error-code> <word> ...
errorloc303 <error-code> <word> ...
external-check ( command | path ) <word>
filter ( cache <cache> | compression | fcgi-app <fcgi-app> | opentracing ... | spoe { engine <word> | config <word> } | trace ... | bwlim-in ... | bwlim-out ... | comp-req | comp-res )
force-be-switch <cond>
force-persist <cond>
fullconn <word>
guid <word>
hash-balance-factor <n>
hash-preserve-affinity ( always | maxconn | maxqueue )
hash-type ( map-based | consistent ) [ crc32 | djb2 | none | sdbm | wt6 ] [ avalanche ... ]
http-check comment <word>
http-check connect { ${connectParams} }
http-check disable-on-404
http-check expect { ${expectParams} } ${httpMatch} { ${expectParams} }
http-check send { ${sendParams} }
http-check send-state
http-check ( <set-var> <expr> | <set-var-fmt> <fmt> | <unset-var> )
http-error { ${replyParams} }
http-reuse ( never | safe | aggressive | always )
http-send-name-header <word> ...
id <positive>
ignore-persist <cond>
load-server-state-from-file ( global | local | none ) ...
log-format <fmt>
log-format-sd <fmt>
log-steps <word>
log-tag <word> ...
max-keep-alive-queue <n>
max-session-srv-conns <int>
maxconn <word>
mode ( http | tcp )
monitor fail <cond>
monitor-uri <word>
option ( ${optionUsage} )
no log
no option ( ${negatableOptions.join(" | ")} )
no option redispatch ...
default option ( ${negatableOptions.join(" | ")} ) ...
persist rdp-cookie(*)
persist rdp-cookie ...
quic-initial ...
rate-limit sessions <n>
redirect ${redirectUsage} ${cond}
retries <word>
retry-on ${retryReason} { ${retryReason} }
server <name> <server-address> { ${serverParams} }
server-state-file-name [ use-backend-name | <word> ]
server-template <word> <range> <server-address> { ${serverParams} }
source <address> { usesrc ( clientip | client | hdr_ip(*) | <address> ) | interface <word> }
srvtcpka-cnt <word>
srvtcpka-idle <time>
srvtcpka-intvl <time>
stats admin <cond>
stats auth <word> ...
stats ( enable | hide-version | show-legends | show-modules | show-desc | show-node ) ...
${ruleUsage("stats http-request", requestActions)}
stats ( realm | scope | uri ) <word> ...
stats refresh <seconds> ...
stick ( match | on | store-request | store-response | store ) <expr> [ table <table> ] ${cond}
stick-table { ${tableParams} }
tcp-check comment <word>
tcp-check connect { ${connectParams} }
tcp-check expect { ${expectParams} } ${tcpMatch} { ${expectParams} }
tcp-check ( send <word> | send-lf <fmt> | send-binary <word> | send-binary-lf <fmt> ) [ comment <word> ]
tcp-check ( <set-var> <expr> | <set-var-fmt> <fmt> | <unset-var> )
tcp-request inspect-delay <time> ...
tcp-response inspect-delay <time> ...
timeout ( check | client | client-fin | client-hs | connect | http-keep-alive | http-request | queue | server | server-fin | tarpit | tunnel ) <time>
transparent
unique-id-format <fmt>
unique-id-header <word> ...
use-fcgi-app <fcgi-app> ...
use-server <use-server> <cond>
use_backend <backend> ${cond}
${logUsage}
${ruleUsage("http-request", requestActions)}
${ruleUsage("http-response", responseActions)}
${ruleUsage("http-after-response", afterResponseActions)}
${ruleUsage("tcp-request connection", tcpConnectionActions)}
${ruleUsage("tcp-request session", tcpConnectionActions)}
${ruleUsage("tcp-request content", tcpContentActions)}
${ruleUsage("tcp-response content", tcpResponseActions)}
`;

/** The keywords of proxies. */
export const proxyUsages = compileUsages(usageText, values);
