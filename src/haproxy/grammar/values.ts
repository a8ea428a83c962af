// The values of usage lines, `<name>`, and how each is read.

import { didYouMean, suggest } from "../../domain/model/suggest.ts";
import { addressMisfit, isIpAddress, type PortRule } from "./address.ts";
import { aclMisfit, readConditionWords, regexMisfit } from "./condition-words.ts";
import { logFormatMisfit } from "./log-format.ts";
import { readSampleWords } from "./sample.ts";
import type { ReferenceKind, ValueReader, WordReading } from "./usage.ts";

/** Reads one word, which must be as `misfit` wants it. */
function oneWord(misfit: (word: string, reading: WordReading) => string | null): ValueReader {
  return (words, at, reading) => {
    const why = misfit(words[at] ?? "", reading);
    return why === null ? at + 1 : { at, why };
  };
}

function pattern(form: RegExp, write: string): ValueReader {
  return oneWord((word) => (form.test(word) ? null : `"${word}" is not ${write}`));
}

function reference(kind: ReferenceKind): ValueReader {
  return oneWord((name, { references }) => {
    if (!name.includes("%[")) references.push({ kind, name });
    return null;
  });
}

function address(rule: PortRule): ValueReader {
  return oneWord((word) => addressMisfit(word, rule));
}

/** Several addresses separated by commas, as in `bind :80,:81`. */
const bindAddresses = oneWord((word) => {
  const rule = { port: "mandatory", hasRange: true, hasName: false } as const;
  return (
    word
      .split(",")
      .map((part) => addressMisfit(part, rule))
      .find((why) => why !== null) ?? null
  );
});

/** The statuses that HAProxy sends by itself. */
const errorCodes: readonly string[] = [
  ...["200", "400", "401", "403", "404", "405", "407", "408", "410", "413", "421", "422", "425", "429"],
  ...["414", "431", "500", "501", "502", "503", "504"],
];
const proxyV2Options: readonly string[] = [
  ...["authority", "cert-cn", "cert-key", "cert-sig", "crc32c", "ssl", "ssl-cipher", "unique-id"],
];
const storedTypes: readonly string[] = [
  ...[
    "bytes_in_cnt",
    "bytes_in_rate",
    "bytes_out_cnt",
    "bytes_out_rate",
    "conn_cnt",
    "conn_cur",
    "conn_rate",
  ],
  ...[
    "glitch_cnt",
    "glitch_rate",
    "gpc",
    "gpc0",
    "gpc0_rate",
    "gpc1",
    "gpc1_rate",
    "gpc_rate",
    "gpt",
    "gpt0",
  ],
  ...["http_err_cnt", "http_err_rate", "http_fail_cnt", "http_fail_rate", "http_req_cnt", "http_req_rate"],
  ...["server_id", "server_key", "sess_cnt", "sess_rate"],
];
const tlsOptions: readonly string[] = [
  ...["force-sslv3", "force-tlsv10", "force-tlsv11", "force-tlsv12", "force-tlsv13", "no-sslv3", "no-tlsv10"],
  ...["no-tlsv11", "no-tlsv12", "no-tlsv13", "no-tls-tickets", "prefer-client-ciphers", "strict-sni"],
  ...["ssl-min-ver", "ssl-max-ver", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
];

const maxTimeMs = 2_147_483_647;
const unitMs: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 };

function timeMisfit(word: string, defaultUnit: "ms" | "s"): string | null {
  // HAProxy ignores what follows the unit.
  const [, digits, unit = defaultUnit] = /^(\d+)(?:(us|ms|s|m|h|d).*)?$/s.exec(word) ?? [];
  if (digits === undefined) return `"${word}" is not a time: write a number and ms, s, m, h or d, as in 2s`;
  const ms = Number(digits) * (unitMs[unit] ?? 1);
  const limit = defaultUnit === "s" ? maxTimeMs * 1000 : maxTimeMs;
  return ms <= limit ? null : `"${word}" is longer than HAProxy's maximum`;
}

function listMisfit(
  text: string,
  known: readonly string[],
  isOther: (item: string) => boolean = () => false,
): string | null {
  const unknown = text.split(",").find((item) => !known.includes(item) && !isOther(item));
  if (unknown === undefined) return null;
  const suggestion = suggest(unknown, known);
  return `there is no "${unknown}"${suggestion === null ? `: use ${known.join(", ")}` : didYouMean(suggestion)}`;
}

/** `gpc0,http_req_rate(10s)` without the texts in parentheses. */
function withoutArguments(text: string): string {
  const [first = "", ...others] = text.split("(");
  // After the last closing parenthesis, no opening one has an end.
  let kept = first;
  let open = "";
  for (const part of others) {
    open += `(${part}`;
    const end = part.indexOf(")");
    if (end < 0) continue;
    kept += part.slice(end + 1);
    open = "";
  }
  return kept + open;
}

function leadingNumber(word: string): number {
  return Number.parseInt(word, 10) || 0;
}

/** `set-var(txn.name)`; a variable belongs to a scope. */
function variableAction(action: string): ValueReader {
  const scopes = ["proc", "sess", "txn", "req", "res", "check"];
  return oneWord((word) => {
    const [, name = "", scope = ""] = /^([^(]+)\(([^.]*)\.[\w.]+(?:,.*)?\)$/.exec(word) ?? [];
    if (!word.startsWith(`${action}(`)) return `there is no "${word}"`;
    if (name === action && scopes.includes(scope)) return null;
    return `"${word}" has no variable: write ${action}(SCOPE.NAME), with ${scopes.join(", ")} as scope`;
  });
}

function luaMisfit(word: string, { references }: WordReading): string | null {
  if (!word.startsWith("lua.")) return `there is no "${word}"`;
  references.push({ kind: "lua", name: word });
  return null;
}

function logTargetMisfit(word: string): string | null {
  if (/^(ring|backend)@./.test(word)) return null;
  return addressMisfit(word, { port: "optional", hasName: true });
}

function serviceMisfit(word: string, reading: WordReading): string | null {
  if (word === "prometheus-exporter") return null;
  return luaMisfit(word, reading) === null
    ? null
    : `no service "${word}": use prometheus-exporter or lua.NAME`;
}

export const values: ReadonlyMap<string, ValueReader> = new Map<string, ValueReader>([
  ["word", oneWord((word) => (word === "" ? "it is empty" : null))],
  ["name", pattern(/^[\w.:-]+$/, "a name of letters, digits, '.', ':', '_' and '-'")],
  ["n", pattern(/^\d+$/, "a whole number")],
  ["int", pattern(/^[+-]?\d+$/, "a whole number")],
  // HAProxy reads some numbers with atol, which stops at the first other character.
  ["atol", pattern(/^[\s\S]+$/, "a number")],
  ["positive", pattern(/^\+?0*[1-9]/, "a number above 0")],
  ["weight", oneWord((word) => (leadingNumber(word) <= 256 ? null : `${word} is above 256`))],
  ["interval", oneWord((word) => (/^0+\D*$/.test(word) ? "it is 0" : timeMisfit(word, "ms")))],
  ["status-list", pattern(/^\d+(-\d+)?(,\d+(-\d+)?)*$/, "a list of statuses such as 200-399")],
  ["set-var", variableAction("set-var")],
  ["set-var-fmt", variableAction("set-var-fmt")],
  ["unset-var", variableAction("unset-var")],
  ["service", oneWord(serviceMisfit)],
  ["time", oneWord((word) => timeMisfit(word, "ms"))],
  ["seconds", oneWord((word) => timeMisfit(word, "s"))],
  ["size", pattern(/^\d+[kKmMgG]?$/, "a size: write a number and k, m or g, as in 64k")],
  ["code", pattern(/^[1-5]\d\d$/, "a status code")],
  ["regex", oneWord((word) => regexMisfit(word))],
  ["fmt", oneWord(logFormatMisfit)],
  ["backend", reference("backend")],
  ["cache", reference("cache")],
  ["errors", reference("http-errors")],
  ["fcgi-app", reference("fcgi-app")],
  ["peers", reference("peers")],
  ["resolvers", reference("resolvers")],
  ["sibling", reference("server")],
  ["table", reference("table")],
  ["binds", bindAddresses],
  ["server-address", address({ port: "optional", hasOffset: true, hasName: true })],
  ["address", address({ port: "optional", hasRange: true, hasName: true })],
  ["address:port", address({ port: "mandatory", hasRange: false, hasName: true })],
  ["log-target", oneWord(logTargetMisfit)],
  [
    "error-code",
    oneWord((word) =>
      errorCodes.includes(word) ? null : `"${word}" is not a status that HAProxy sends by itself`,
    ),
  ],
  ["init-addr", oneWord((word) => listMisfit(word, ["libc", "last", "none"], isIpAddress))],
  ["proxy-v2-options", oneWord((word) => listMisfit(word, proxyV2Options))],
  ["store", oneWord((word) => listMisfit(withoutArguments(word), storedTypes))],
  ["tls-option", oneWord((word) => listMisfit(word, tlsOptions))],
  [
    "network",
    oneWord((word) => (isIpAddress(word.split("/")[0] ?? "") ? null : `"${word}" is not a network`)),
  ],
  ["range", pattern(/^\d+(-\d+)?$/, "a number or a range of numbers")],
  ["process", pattern(/^(\d+(-\d+)?|\d+-|auto:.*)$/, "a number or a range of numbers")],
  ["http-check-version", pattern(/^[\s\S]*$/, "a version")],
  ["use-server", reference("server")],
  ["lua-action", oneWord(luaMisfit)],
  ["cond", readConditionWords],
  ["acl", (words, at, reading) => aclMisfit(words, at, words.length, reading) ?? words.length],
  [
    "expr",
    (words, at, reading) => {
      const read = readSampleWords(words, at, reading);
      return "why" in read ? { at, why: read.why } : read.end;
    },
  ],
  [
    "fmts",
    (words, at, reading) => {
      for (let next = at; next < words.length; next += 1) {
        const why = logFormatMisfit(words[next] ?? "", reading);
        if (why !== null) return { at: next, why };
      }
      return words.length;
    },
  ],
]);
