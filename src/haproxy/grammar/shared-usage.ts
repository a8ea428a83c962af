// Usage texts that several sections share: log targets, and the parameters of binds and servers.

const facilities =
  "kern | user | mail | daemon | auth | syslog | lpr | news | uucp | cron | auth2 | ftp | ntp | audit | alert | cron2 | local0 | local1 | local2 | local3 | local4 | local5 | local6 | local7";
const levels = "emerg | alert | crit | err | warning | notice | info | debug";
export const logLevel = `( ${levels} )`;
const logFormat = "( local | raw | rfc3164 | rfc5424 | iso | priority | short | timed )";

export const logUsage = `
log global
log <log-target> [ len <atol> ] [ format ${logFormat} ] [ sample <word> ] ( ${facilities} ) [ ${logLevel} [ ${logLevel} ] ]
`;

const tlsFlags =
  "force-sslv3 | force-tlsv10 | force-tlsv11 | force-tlsv12 | force-tlsv13 | no-sslv3 | no-tls-tickets | no-tlsv10 | no-tlsv11 | no-tlsv12 | no-tlsv13 | allow-0rtt";
const tlsVersion = "( SSLv3 | TLSv1.0 | TLSv1.1 | TLSv1.2 | TLSv1.3 )";
const tlsValues = `alpn <word> | ca-file <word> | ciphers <word> | ciphersuites <word> | crl-file <word> | crt <word> | curves <word> | npn <word> | sigalgs <word> | client-sigalgs <word> | ssl-max-ver ${tlsVersion} | ssl-min-ver ${tlsVersion}`;

/** The parameters of `bind`; a section without TLS takes them as well. */
export const bindParams = `${tlsFlags} | ${tlsValues} | accept-netscaler-cip <n> | accept-proxy | backlog <n> | ca-ignore-err <word> | ca-sign-file <word> | ca-sign-pass <word> | ca-verify-file <word> | crt-ignore-err <word> | crt-list <word> | defer-accept | ecdhe <word> | expose-fd <word> | generate-certificates | gid <word> | group <word> | guid-prefix <word> | id <n> | interface <word> | level ( user | operator | admin ) | maxconn <n> | mode <word> | mss <int> | name <word> | namespace <word> | nbconn <n> | nice <int> | no-alpn | no-ca-names | prefer-client-ciphers | process <word> | proto ( h1 | h2 | none ) | quic-cc-algo <word> | quic-force-retry | quic-socket <word> | severity-output ( none | number | string ) | shards <word> | ssl | strict-sni | tcp-ut <time> | tfo | thread <word> | tls-ticket-keys <word> | transparent | uid <word> | user <word> | v4v6 | v6only | verify ( none | optional | required )`;

const resolveOption = "( ipv4 | ipv6 )";
const sourceUsage =
  "source <address> { usesrc ( clientip | client | hdr_ip(*) | <address> ) | interface <word> }";

/** The parameters of `server` and `default-server`. */
export const serverParams = `${tlsFlags} | ${tlsValues} | addr <address> | agent-addr <word> | agent-check | agent-inter <time> | agent-port <n> | agent-send <word> | backup | check | check-alpn <word> | check-proto ( h1 | h2 | fcgi | none ) | check-send-proxy | check-sni <word> | check-ssl | check-via-socks4 | cookie <word> | disabled | downinter <interval> | enabled | error-limit <positive> | fall <positive> | fastinter <interval> | guid <word> | hash-key ( id | addr | addr-port ) | id <positive> | init-addr [ <init-addr> ] | init-state ( fully-up | up | down | fully-down ) | inter <interval> | log-bufsize <n> | log-proto ( legacy | octet-count ) | max-reuse <int> | maxconn <word> | maxqueue <word> | minconn <word> | namespace <word> | no-agent-check | no-backup | no-check | no-check-send-proxy | no-check-ssl | no-renegotiate | no-send-proxy | no-send-proxy-v2 | no-send-proxy-v2-ssl | no-send-proxy-v2-ssl-cn | no-ssl | no-ssl-reuse | no-tfo | no-verifyhost | non-stick | observe ( layer4 | layer7 ) | on-error ( fastinter | fail-check | sudden-death | mark-down ) | on-marked-down shutdown-sessions | on-marked-up shutdown-backup-sessions | pool-conn-name <word> | pool-low-conn <n> | pool-max-conn <int> | pool-purge-delay <time> | port <word> | proto ( h1 | h2 | fcgi | none ) | proxy-v2-options <proxy-v2-options> | redir <word> | renegotiate | resolve-net <word> | resolve-opts <word> | resolve-prefer ${resolveOption} | resolvers <resolvers> | rise <positive> | send-proxy | send-proxy-v2 | send-proxy-v2-ssl | send-proxy-v2-ssl-cn | set-proxy-v2-tlv-fmt(*) <word> | shard <n> | slowstart <time> | sni <expr> | socks4 <address> | ${sourceUsage} | ssl | ssl-reuse | stick | strict-maxconn | tcp-md5sig <word> | tcp-ut <time> | tfo | tls-tickets | track <word> | verify ( none | required ) | verifyhost <word> | weight <weight> | ws ( auto | h1 | h2 )`;
