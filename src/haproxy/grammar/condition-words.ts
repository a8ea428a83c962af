// ACLs and conditions as HAProxy reads them: `hdr(host) -i a.b`, and `if A !B or { src 10.0.0.0/8 }`.

import { readPattern } from "../../domain/model/check-pattern.ts";
import { isIpAddress, isShortAddress } from "./address.ts";
import { criterionMethod, readSample, type SampleType } from "./sample.ts";
import type { Misfit, WordReading } from "./usage.ts";

const matchMethods = [
  "bool",
  "beg",
  "bin",
  "dir",
  "dom",
  "end",
  "found",
  "int",
  "ip",
  "len",
  "reg",
  "str",
  "sub",
];
const flagsWithValue: ReadonlySet<string> = new Set(["-f", "-m", "-u"]);
const flags: ReadonlySet<string> = new Set([...flagsWithValue, "-i", "-n", "-M"]);
const operators: ReadonlySet<string> = new Set(["eq", "ge", "gt", "le", "lt"]);

/** Reads the criterion, flags and values of an ACL from `at` to `end`. */
export function aclMisfit(
  words: readonly string[],
  at: number,
  end: number,
  reading: WordReading,
): Misfit | null {
  const criterion = words[at] ?? "";
  const read = at < end ? readSample(criterion, true, reading) : { why: "missing criterion" };
  if ("why" in read) return { at, why: read.why };
  if (read.rest !== "") return { at, why: `missing comma before "${read.rest}"` };
  const name = /^[\w.+-]*/.exec(criterion)?.[0] ?? "";
  const hasConverter = criterion.slice(name.length).replace(/^\([^)]*\)/, "") !== "";
  const isUntyped = name === "var" && !hasConverter;
  const isVersion = name === "req_ssl_ver" || name === "req.ssl_ver";
  const ownMethod = hasConverter ? null : criterionMethod(name);
  let method = isVersion ? "version" : isUntyped ? "none" : (ownMethod ?? methodOf(read.type));
  let next = at + 1;
  for (; next < end && words[next]?.startsWith("-") === true; next += 1) {
    const flag = words[next] ?? "";
    if (flag === "--") {
      next += 1;
      break;
    }
    if (!flags.has(flag)) return { at: next, why: `"${flag}" is not a flag of an ACL: use -i, -m, -f or --` };
    if (flag === "-m") {
      method = words[next + 1] ?? "";
      if (!matchMethods.includes(method))
        return { at: next + 1, why: `"${method}" is not a match method: use ${matchMethods.join(", ")}` };
    }
    if (flagsWithValue.has(flag)) next += 1;
  }
  if (method === "none" && next < end) return { at: next, why: `${name} needs -m and a match method` };
  for (; next < end; next += 1) {
    const why = valueMisfit(method, words[next] ?? "");
    if (why !== null) return { at: next, why };
  }
  return null;
}

function methodOf(type: SampleType): string {
  if (type === "sint") return "int";
  return type === "addr" || type === "ipv4" || type === "ipv6" ? "ip" : "str";
}

function valueMisfit(method: string, value: string): string | null {
  if (method === "int" && !operators.has(value) && !/^-?\d*(?::-?\d*|-\d*)?$/.test(value))
    return `"${value}" is not a number or a range`;
  if (method === "len" && !operators.has(value) && !/^\d*(?::\d*)?$/.test(value))
    return `"${value}" is not a length or a range`;
  if (method === "version" && !operators.has(value) && !/^[\d.:-]+$/.test(value))
    return `"${value}" is not a version or a range`;
  if (method === "ip" && !isNetwork(value)) return `"${value}" is not an address or a network`;
  if (method === "reg") return regexMisfit(value);
  return null;
}

/** An address with or without a mask, or a host name, which HAProxy resolves. */
function isNetwork(value: string): boolean {
  const [address = "", mask] = value.split("/");
  const maxBits = address.includes(":") ? 128 : 32;
  if (mask !== undefined && !isIpAddress(mask) && !(/^\d{1,3}$/.test(mask) && Number(mask) <= maxBits))
    return false;
  return isIpAddress(address) || /^[A-Za-z][\w-]*(\.[\w-]+)+\.?$/.test(address) || isShortAddress(address);
}

/**
 * Why a text is not a regular expression. HAProxy uses PCRE; constructs of PCRE alone, of which RE2 does not know
 * whether they are complete, are accepted.
 */
export function regexMisfit(text: string): string | null {
  const reading = readPattern(text);
  if (reading.ok || reading.fault === "unsupported") return null;
  return `"${text}" is not a regular expression: ${reading.why}`;
}

/** Reads `if …` or `unless …`, which ends the line. A condition without terms never holds. @returns its end */
export function readConditionWords(
  words: readonly string[],
  at: number,
  reading: WordReading,
): number | Misfit {
  if (words[at] !== "if" && words[at] !== "unless")
    return { at, why: `unexpected word "${words[at] ?? ""}": write if or unless` };
  for (let next = at + 1; next < words.length; next += 1) {
    const word = words[next] ?? "";
    const operand = word.replace(/^!+/, "");
    if (operand === "" || word === "||" || word.toLowerCase() === "or") continue;
    if (operand !== "{") {
      reading.references.push({ kind: "acl", name: operand });
      continue;
    }
    const end = words.indexOf("}", next);
    if (end < 0) return { at: words.length, why: "missing } after {" };
    const misfit = aclMisfit(words, next + 1, end, reading);
    if (misfit !== null) return misfit;
    next = end;
  }
  return words.length;
}

/** HAProxy's predefined ACLs. */
export const predefinedAclNames: readonly string[] = [
  ...["TRUE", "FALSE", "LOCALHOST", "HTTP", "HTTP_1.0", "HTTP_1.1", "HTTP_2.0", "HTTP_3.0", "METH_CONNECT"],
  ...["METH_DELETE", "METH_GET", "METH_HEAD", "METH_OPTIONS", "METH_POST", "METH_PUT", "METH_TRACE"],
  ...["HTTP_URL_ABS", "HTTP_URL_SLASH", "HTTP_URL_STAR", "HTTP_CONTENT", "RDP_COOKIE", "REQ_CONTENT"],
  ...["WAIT_END"],
];
